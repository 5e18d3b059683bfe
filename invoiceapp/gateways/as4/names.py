"""Namespaces, algorithms and the constants of Peppol's AS4 profile 2.0.3."""

from __future__ import annotations

SOAP = "http://www.w3.org/2003/05/soap-envelope"
EB = "http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/"
EBBP = "http://docs.oasis-open.org/ebxml-bp/ebbp-signals-2.0"
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_WSS11 = "http://docs.oasis-open.org/wss/oasis-wss-"
WSSE = _WSS + "wssecurity-secext-1.0.xsd"
WSSE11 = _WSS11 + "wssecurity-secext-1.1.xsd"
WSU = _WSS + "wssecurity-utility-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
EXC_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
SBDH = "http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader"
XML = "http://www.w3.org/XML/1998/namespace"

BASE64_BINARY = _WSS + "soap-message-security-1.0#Base64Binary"
X509_V3 = _WSS + "x509-token-profile-1.0#X509v3"
ENCRYPTED_KEY_TOKEN = _WSS11 + "soap-message-security-1.1#EncryptedKey"
ATTACHMENT_CONTENT = _WSS11 + "SwAProfile-1.1#Attachment-Content-Signature-Transform"
ATTACHMENT_CIPHERTEXT = _WSS11 + "SwAProfile-1.1#Attachment-Ciphertext-Transform"
ATTACHMENT_CONTENT_ONLY = _WSS11 + "SwAProfile-1.1#Attachment-Content-Only"

RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
AES128_GCM = "http://www.w3.org/2009/xmlenc11#aes128-gcm"
RSA_OAEP = "http://www.w3.org/2009/xmlenc11#rsa-oaep"
MGF1_SHA256 = "http://www.w3.org/2009/xmlenc11#mgf1sha256"

AGREEMENT = "urn:fdc:peppol.eu:2017:agreements:tia:ap_provider"
PARTY_TYPE = "urn:fdc:peppol.eu:2017:identifiers:ap"
INITIATOR = EB + "initiator"
RESPONDER = EB + "responder"
#: Of the UserMessage; the attribute may be left out.
DEFAULT_MPC = EB + "defaultMPC"

SOAP_TYPE = "application/soap+xml"
GZIP_TYPE = "application/gzip"
XML_TYPE = "application/xml"
OCTETS = "application/octet-stream"

#: Prefixes of what we write.
PREFIXES = {"S12": SOAP, "eb": EB, "wsse": WSSE, "wsu": WSU, "ds": DS, "xenc": XENC, "ebbp": EBBP}


def q(namespace: str, name: str) -> str:
    """A name as lxml writes it."""
    return f"{{{namespace}}}{name}"
