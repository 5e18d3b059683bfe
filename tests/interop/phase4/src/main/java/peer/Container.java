package peer;

import com.helger.json.IJsonObject;
import com.helger.json.JsonObject;
import com.helger.xml.serialize.read.DOMReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.security.PublicKey;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import javax.xml.crypto.KeySelector;
import javax.xml.crypto.OctetStreamData;
import javax.xml.crypto.URIDereferencer;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** What the JDK says of the signature in an ASiC-E container, whose references name the container's files. */
final class Container {
  private static final String XADES = "http://uri.etsi.org/01903/v1.3.2#";

  private Container() {}

  /** Of the file "container"; "certificate" (PEM) is the signer's. */
  static IJsonObject check(IJsonObject command) throws Exception {
    Map<String, byte[]> files = files(Path.of(command.getAsString("container")));
    Document document = DOMReader.readXMLDOM(files.get("META-INF/signatures001.xml"));
    Element signature = (Element) document.getElementsByTagNameNS(XMLSignature.XMLNS, "Signature").item(0);
    Element properties = (Element) document.getElementsByTagNameNS(XADES, "SignedProperties").item(0);
    PublicKey key = Keys.certificate(command.getAsString("certificate")).getPublicKey();
    DOMValidateContext context = new DOMValidateContext(KeySelector.singletonKeySelector(key), signature);
    context.setIdAttributeNS(properties, null, "Id");
    XMLSignatureFactory factory = XMLSignatureFactory.getInstance("DOM");
    URIDereferencer within = factory.getURIDereferencer();
    context.setURIDereferencer(
        (reference, inner) -> {
          byte[] file = files.get(reference.getURI());
          return file == null
              ? within.dereference(reference, inner)
              : new OctetStreamData(new ByteArrayInputStream(file));
        });
    XMLSignature read = factory.unmarshalXMLSignature(context);
    boolean isGood = read.validate(context);
    return new JsonObject().add("good", isGood).add("references", read.getSignedInfo().getReferences().size());
  }

  private static Map<String, byte[]> files(Path path) throws IOException {
    Map<String, byte[]> found = new HashMap<>();
    try (ZipFile archive = new ZipFile(path.toFile())) {
      for (ZipEntry entry : Collections.list(archive.entries())) {
        found.put(entry.getName(), archive.getInputStream(entry).readAllBytes());
      }
    }
    return found;
  }
}
