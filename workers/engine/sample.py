"""Sample of typical sources, run once at load to test for finite logits and to measure activations."""

SAMPLE = """\
<h2>1st place solution</h2>
<p>Thanks to the organizers and congratulations to all teams! Our final submission is an ensemble of two networks,
trained on 8 folds with heavy augmentation; it scored 0.8982 on the private leaderboard (CV 0.901).</p>
<ul><li>We dropped rows with NaN values, and filled the others with zeros after normalization.</li>
<li>Optimizer: AdamW, learning rate 3e-4, weight decay 0.05, cosine schedule with 10% warm-up, batch size 128.</li></ul>
def score(y, p): return float(np.mean(np.argmax(p, axis=1) == y))

(CNN) The river Aare rose by four metres in two days, and on Tuesday evening the council of Thun closed both bridges.
"We have not seen anything like it since 1999," said the mayor, Anna Keller, 54, while engineers measured the piers.
About 1,200 people had to leave their homes; nobody was hurt. Insurance companies estimate the damage at $40 million.

## Minutes of the meeting, 12 March
- The budget for the second quarter was approved (7 in favour, 2 against).
- Next steps: publish the report, ask three suppliers for offers, and decide by the end of April.

Question: How far did the river rise?
Answer: By four metres.
"""
