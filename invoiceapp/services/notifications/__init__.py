"""What is noticed, for whom, and how they are told: inbox, mails, webhooks.

``noticing`` writes notices, ``composing`` puts due ones into mails, ``mailing`` sends those, ``calling`` tells webhooks;
``alarms`` finds what is wrong with an adaptor itself. Each step is one transaction, so that a kill loses and repeats
nothing (docs/decisions/0024).
"""
