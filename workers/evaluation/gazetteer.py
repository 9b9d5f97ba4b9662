"""Gazetteer: countries with their demonyms, states with their abbreviations, and unions, each under one code.

A summary may say Turkish where the source says Turkey, or Western Australia where it says WA. The names are the short
English ones of ISO 3166-1 with the demonyms of the CIA World Factbook, the postal abbreviations of the United States
(USPS Publication 28) and those of Australia (AS 4590).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

# One country or region a line: name, then other names and demonyms; forms in plural and with -man are derived.
_COUNTRIES = """
Afghanistan,Afghan|Albania,Albanian|Algeria,Algerian|Andorra,Andorran|Angola,Angolan|Argentina,Argentine,Argentinian
Armenia,Armenian|Australia,Australian,Aussie|Austria,Austrian|Azerbaijan,Azerbaijani,Azeri|Bahamas,Bahamian
Bahrain,Bahraini|Bangladesh,Bangladeshi|Barbados,Barbadian|Belarus,Belarusian|Belgium,Belgian|Belize,Belizean
Benin,Beninese|Bhutan,Bhutanese|Bolivia,Bolivian|Bosnia and Herzegovina,Bosnia,Bosnian|Botswana,Motswana
Brazil,Brazilian|Brunei,Bruneian|Bulgaria,Bulgarian|Burkina Faso,Burkinabe|Burundi,Burundian|Cambodia,Cambodian
Cameroon,Cameroonian|Canada,Canadian|Cape Verde,Cabo Verde|Central African Republic|Chad,Chadian|Chile,Chilean
China,Chinese|Colombia,Colombian|Comoros,Comorian|Costa Rica,Costa Rican|Croatia,Croatian,Croat|Cuba,Cuban
Cyprus,Cypriot|Czech Republic,Czechia,Czech|Democratic Republic of the Congo,Congo,Congolese|Denmark,Danish,Dane
Djibouti,Djiboutian|Dominican Republic,Dominican|East Timor,Timor-Leste,Timorese|Ecuador,Ecuadorian
Egypt,Egyptian|El Salvador,Salvadoran|England,English|Eritrea,Eritrean|Estonia,Estonian|Eswatini,Swaziland,Swazi
Ethiopia,Ethiopian|Fiji,Fijian|Finland,Finnish,Finn|France,French|Gabon,Gabonese|Gambia,Gambian|Georgia,Georgian
Germany,German|Ghana,Ghanaian|Greece,Greek|Grenada,Grenadian|Guatemala,Guatemalan|Guinea,Guinean|Guyana,Guyanese
Haiti,Haitian|Honduras,Honduran|Hungary,Hungarian|Iceland,Icelandic,Icelander|India,Indian|Indonesia,Indonesian
Iran,Iranian|Iraq,Iraqi|Ireland,Irish|Israel,Israeli|Italy,Italian|Ivory Coast,Ivorian|Jamaica,Jamaican
Japan,Japanese|Jordan,Jordanian|Kazakhstan,Kazakh|Kenya,Kenyan|Kosovo,Kosovar|Kuwait,Kuwaiti|Kyrgyzstan,Kyrgyz
Laos,Laotian,Lao|Latvia,Latvian|Lebanon,Lebanese|Lesotho,Basotho|Liberia,Liberian|Libya,Libyan|Liechtenstein
Lithuania,Lithuanian|Luxembourg|Madagascar,Malagasy|Malawi,Malawian|Malaysia,Malaysian|Maldives,Maldivian
Mali,Malian|Malta,Maltese|Mauritania,Mauritanian|Mauritius,Mauritian|Mexico,Mexican|Moldova,Moldovan
Monaco,Monegasque|Mongolia,Mongolian|Montenegro,Montenegrin|Morocco,Moroccan|Mozambique,Mozambican
Myanmar,Burma,Burmese|Namibia,Namibian|Nepal,Nepalese,Nepali|Netherlands,Holland,Dutch|New Zealand,New Zealander,Kiwi
Nicaragua,Nicaraguan|Niger,Nigerien|Nigeria,Nigerian|North Korea,North Korean|North Macedonia,Macedonia,Macedonian
Norway,Norwegian|Oman,Omani|Pakistan,Pakistani|Palestine,Palestinian|Panama,Panamanian|Papua New Guinea
Paraguay,Paraguayan|Peru,Peruvian|Philippines,Filipino,Philippine,Filipina|Poland,Polish,Pole|Portugal,Portuguese
Puerto Rico,Puerto Rican|Qatar,Qatari|Romania,Romanian|Russia,Russian,Russian Federation|Rwanda,Rwandan|Samoa,Samoan
Saudi Arabia,Saudi,Saudi Arabian|Scotland,Scottish,Scot|Senegal,Senegalese|Serbia,Serbian,Serb|Seychelles
Sierra Leone,Sierra Leonean|Singapore,Singaporean|Slovakia,Slovak|Slovenia,Slovenian,Slovene|Somalia,Somali
South Africa,South African|South Korea,South Korean|South Sudan,South Sudanese|Spain,Spanish,Spaniard
Sri Lanka,Sri Lankan|Sudan,Sudanese|Suriname,Surinamese|Sweden,Swedish,Swede|Switzerland,Swiss|Syria,Syrian
Taiwan,Taiwanese|Tajikistan,Tajik|Tanzania,Tanzanian|Thailand,Thai|Togo,Togolese|Tonga,Tongan|Tunisia,Tunisian
Trinidad and Tobago,Trinidad,Trinidadian|Turkey,Turkish,Turk,Turkiye|Turkmenistan,Turkmen|Uganda,Ugandan
Ukraine,Ukrainian|United Arab Emirates,Emirati|United Kingdom,Britain,British,Great Britain,Briton,Brit
United States,United States of America,America,American|Uruguay,Uruguayan|Uzbekistan,Uzbek|Vanuatu|Vatican
Venezuela,Venezuelan|Vietnam,Vietnamese|Wales,Welsh|Yemen,Yemeni|Zambia,Zambian|Zimbabwe,Zimbabwean
Africa,African|Asia,Asian|Europe,European|Latin America,Latin American|European Union|United Nations
Judaism,Jewish,Jew|Islam,Islamic|Shia,Shiite|Christianity,Christian|Islamic State,Daesh|Los Angeles|LGBT
"""

# Abbreviations are compared with their capitals and without full stops.
_ABBREVIATIONS = {
    "United States": "US USA",
    "United Kingdom": "UK GB",
    "European Union": "EU",
    "United Nations": "UN",
    "United Arab Emirates": "UAE",
    "New Zealand": "NZ",
    "Democratic Republic of the Congo": "DRC",
    "Papua New Guinea": "PNG",
    "North Korea": "DPRK",
    "Islamic State": "ISIS ISIL IS",
    "Los Angeles": "LA",
    "LGBT": "LGBTQ LGBTQIA",
}

# States of the United States and of Australia, territories included.
_STATES = """
Alabama,AL,Ala|Alaska,AK|Arizona,AZ,Ariz|Arkansas,AR,Ark|California,CA,Calif,Cal,Californian|Colorado,CO,Colo
Connecticut,CT,Conn|Delaware,DE,Del|District of Columbia,DC|Florida,FL,Fla|Georgia,GA|Hawaii,HI|Idaho,ID|Illinois,IL,Ill
Indiana,IN,Ind|Iowa,IA|Kansas,KS,Kan|Kentucky,KY|Louisiana,LA|Maine,ME|Maryland,MD|Massachusetts,MA,Mass|Michigan,MI,Mich
Minnesota,MN,Minn|Mississippi,MS,Miss|Missouri,MO|Montana,MT,Mont|Nebraska,NE,Neb|Nevada,NV,Nev|New Hampshire,NH
New Jersey,NJ|New Mexico,NM|New York,NY,NYC|North Carolina,NC|North Dakota,ND|Ohio,OH|Oklahoma,OK,Okla|Oregon,OR,Ore
Pennsylvania,PA,Penn|Rhode Island,RI|South Carolina,SC|South Dakota,SD|Tennessee,TN,Tenn|Texas,TX,Tex,Texan|Utah,UT
Vermont,VT|Virginia,VA|Washington,WA,Wash|West Virginia,WV|Wisconsin,WI,Wis|Wyoming,WY,Wyo
New South Wales,NSW|Victoria,VIC,Vic|Queensland,QLD,Qld|South Australia,SA|Western Australia,WA|Tasmania,TAS,Tas
Northern Territory,NT|Australian Capital Territory,ACT
"""

# Longest name in the tables, in words.
MAX_PLACE_WORDS = 5

_PEOPLE = ("man", "men", "woman", "women")

Codes = frozenset[str]


def find_codes(words: tuple[str, ...]) -> Codes:
    """Return the codes of a name, demonym or abbreviation, given by its words; none if it is in no table."""
    found = _SHORT.get(words[0]) if len(words) == 1 else None
    return found or _NAMES.get(tuple(word.lower() for word in words)) or Codes()


def may_begin_place(word: str) -> bool:
    """Tell whether a name of the tables begins with a word, without looking for the rest of it."""
    return word in _SHORT or word.lower() in _FIRST_WORDS


def _split_table(table: str) -> Iterator[list[str]]:
    for entry in table.strip().replace("\n", "|").split("|"):
        yield entry.split(",")


def _list_names() -> Iterator[tuple[str, str]]:
    """Yield every name and demonym with its code."""
    for code, *others in _split_table(_COUNTRIES):
        for name in (code, *others):
            yield from ((form, code) for form in (name, f"{name}s"))
        yield from ((other + ending, code) for other in others for ending in _PEOPLE)
    yield from ((name, f"{name} (state)") for name, *_ in _split_table(_STATES))


def _list_abbreviations() -> Iterator[tuple[str, str]]:
    for name, abbreviations in _ABBREVIATIONS.items():
        yield from ((abbreviation, name) for abbreviation in abbreviations.split())
    for name, *short in _split_table(_STATES):
        yield from ((abbreviation, f"{name} (state)") for abbreviation in short)


def _collect_names() -> Mapping[tuple[str, ...], Codes]:
    found: dict[tuple[str, ...], set[str]] = {}
    for name, code in _list_names():
        found.setdefault(tuple(name.lower().replace("-", " ").split()), set()).add(code)
    return {words: Codes(codes) for words, codes in found.items()}


def _collect_abbreviations() -> Mapping[str, Codes]:
    found: dict[str, set[str]] = {}
    for abbreviation, code in _list_abbreviations():
        found.setdefault(abbreviation, set()).add(code)
    return {abbreviation: Codes(codes) for abbreviation, codes in found.items()}


_NAMES = _collect_names()
_SHORT = _collect_abbreviations()
_FIRST_WORDS = frozenset(words[0] for words in _NAMES)
