"""AS4 (OASIS ebMS 3.0 with the AS4 profile) as Peppol uses it: what ``peppol`` and ``nemhandel`` speak, in both directions.

``sbdh`` wraps the document, ``ebms`` and ``wss`` make and read the SOAP message, ``mime`` packs it, ``exchange`` sends and
judges the answer, ``receiving`` opens what comes in and answers it.
"""
