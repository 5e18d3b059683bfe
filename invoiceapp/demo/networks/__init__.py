"""Stand-ins of the registers of Peppol and NemHandel: an SML (DNS), signing SMPs, NemHandelsregisteret, the Directory."""
