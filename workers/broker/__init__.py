"""Celery and kombu: the app, its tasks, and what is changed of their transport, consumer and pool."""
