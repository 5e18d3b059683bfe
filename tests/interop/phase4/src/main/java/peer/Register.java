package peer;

import com.helger.json.IJsonObject;
import com.helger.json.JsonObject;
import com.helger.peppolid.factory.PeppolIdentifierFactory;
import com.helger.smpclient.httpclient.SMPHttpResponseHandlerSigned;
import com.helger.smpclient.peppol.marshal.SMPMarshallerSignedServiceMetadataType;
import com.helger.smpclient.peppol.utils.W3CEndpointReferenceHelper;
import com.helger.smpclient.security.TrustStoreBasedX509KeySelector;
import com.helger.xml.serialize.read.DOMReader;
import com.helger.xsds.peppol.id1.DocumentIdentifierType;
import com.helger.xsds.peppol.id1.ParticipantIdentifierType;
import com.helger.xsds.peppol.id1.ProcessIdentifierType;
import com.helger.xsds.peppol.smp1.EndpointType;
import com.helger.xsds.peppol.smp1.ProcessListType;
import com.helger.xsds.peppol.smp1.ProcessType;
import com.helger.xsds.peppol.smp1.ServiceEndpointList;
import com.helger.xsds.peppol.smp1.ServiceInformationType;
import com.helger.xsds.peppol.smp1.ServiceMetadataType;
import com.helger.xsds.peppol.smp1.SignedServiceMetadataType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.DigestMethod;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.SignedInfo;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.keyinfo.KeyInfo;
import javax.xml.crypto.dsig.keyinfo.KeyInfoFactory;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;

/** Answers of a service metadata publisher: peppol-commons writes and checks them, the JDK's XML signature signs them. */
final class Register {
  private static final PeppolIdentifierFactory IDS = PeppolIdentifierFactory.INSTANCE;
  private final Keys keys;

  Register(Keys keys) {
    this.keys = keys;
  }

  /**
   * Writes a SignedServiceMetadata to the file "into"; identifiers of the command are "scheme::value".
   */
  IJsonObject publish(IJsonObject command) throws Exception {
    SignedServiceMetadataType metadata = new SignedServiceMetadataType();
    metadata.setServiceMetadata(metadata(command));
    Document document = new SMPMarshallerSignedServiceMetadataType().setUseSchema(false).getAsDocument(metadata);
    sign(document);
    try (var stream = Files.newOutputStream(Path.of(command.getAsString("into")))) {
      TransformerFactory.newInstance().newTransformer().transform(new DOMSource(document), new StreamResult(stream));
    }
    return new JsonObject().add("written", true);
  }

  /** What peppol-commons says of the signature of the answer in the file "answer". */
  IJsonObject check(IJsonObject command) throws Exception {
    Document document = DOMReader.readXMLDOM(Path.of(command.getAsString("answer")).toFile());
    var selector = new TrustStoreBasedX509KeySelector(keys.trusted());
    boolean isGood = SMPHttpResponseHandlerSigned.checkSignature(document, selector, true).isSuccess();
    return new JsonObject().add("good", isGood);
  }

  private static ServiceMetadataType metadata(IJsonObject command) {
    EndpointType endpoint = new EndpointType();
    endpoint.setEndpointReference(W3CEndpointReferenceHelper.createEndpointReference(command.getAsString("url")));
    endpoint.setRequireBusinessLevelSignature(false);
    endpoint.setCertificate(command.getAsString("certificate"));
    endpoint.setServiceDescription("A test");
    endpoint.setTechnicalContactUrl("https://ap.example/");
    endpoint.setTransportProfile("peppol-transport-as4-v2_0");
    ServiceEndpointList endpoints = new ServiceEndpointList();
    endpoints.addEndpoint(endpoint);

    var processId = IDS.parseProcessIdentifier(command.getAsString("process"));
    ProcessIdentifierType processIdentifier = new ProcessIdentifierType();
    processIdentifier.setScheme(processId.getScheme());
    processIdentifier.setValue(processId.getValue());
    ProcessType process = new ProcessType();
    process.setProcessIdentifier(processIdentifier);
    process.setServiceEndpointList(endpoints);
    ProcessListType processes = new ProcessListType();
    processes.addProcess(process);

    var participantId = IDS.parseParticipantIdentifier(command.getAsString("participant"));
    ParticipantIdentifierType participant = new ParticipantIdentifierType();
    participant.setScheme(participantId.getScheme());
    participant.setValue(participantId.getValue());
    var documentId = IDS.parseDocumentTypeIdentifier(command.getAsString("document_id"));
    DocumentIdentifierType document = new DocumentIdentifierType();
    document.setScheme(documentId.getScheme());
    document.setValue(documentId.getValue());

    ServiceInformationType information = new ServiceInformationType();
    information.setParticipantIdentifier(participant);
    information.setDocumentIdentifier(document);
    information.setProcessList(processes);
    ServiceMetadataType metadata = new ServiceMetadataType();
    metadata.setServiceInformation(information);
    return metadata;
  }

  /** Peppol SMP specification, "Message signature": enveloped, over the whole document. */
  private void sign(Document document) throws Exception {
    XMLSignatureFactory factory = XMLSignatureFactory.getInstance("DOM");
    Reference whole =
        factory.newReference(
            "",
            factory.newDigestMethod(DigestMethod.SHA256, null),
            List.of(factory.newTransform(Transform.ENVELOPED, (TransformParameterSpec) null)),
            null,
            null);
    SignedInfo signed =
        factory.newSignedInfo(
            factory.newCanonicalizationMethod(CanonicalizationMethod.INCLUSIVE, (C14NMethodParameterSpec) null),
            factory.newSignatureMethod("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", null),
            List.of(whole));
    KeyInfoFactory infos = factory.getKeyInfoFactory();
    KeyInfo info =
        infos.newKeyInfo(
            List.of(
                infos.newX509Data(
                    List.of(keys.certificate().getSubjectX500Principal().getName(), keys.certificate()))));
    factory.newXMLSignature(signed, info).sign(new DOMSignContext(keys.key(), document.getDocumentElement()));
  }
}
