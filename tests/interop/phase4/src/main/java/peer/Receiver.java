package peer;

import com.helger.collection.commons.CommonsArrayList;
import com.helger.collection.commons.ICommonsList;
import com.helger.http.EHttpMethod;
import com.helger.http.header.HttpHeaderMap;
import com.helger.json.JsonObject;
import com.helger.peppol.sbdh.PeppolSBDHData;
import com.helger.peppol.sbdh.PeppolSBDHDataReadException;
import com.helger.peppol.sbdh.PeppolSBDHDataReader;
import com.helger.peppolid.factory.PeppolIdentifierFactory;
import com.helger.phase4.CAS4;
import com.helger.phase4.attachment.WSS4JAttachment;
import com.helger.phase4.crypto.IAS4CryptoFactory;
import com.helger.phase4.crypto.IAS4DecryptParameterModifier;
import com.helger.phase4.ebms3header.Ebms3Property;
import com.helger.phase4.ebms3header.Ebms3SignalMessage;
import com.helger.phase4.ebms3header.Ebms3UserMessage;
import com.helger.phase4.error.AS4ErrorList;
import com.helger.phase4.incoming.AS4RequestHandler;
import com.helger.phase4.incoming.IAS4IncomingMessageMetadata;
import com.helger.phase4.incoming.IAS4IncomingMessageState;
import com.helger.phase4.incoming.crypto.AS4IncomingSecurityConfiguration;
import com.helger.phase4.incoming.spi.AS4MessageProcessorResult;
import com.helger.phase4.incoming.spi.AS4SignalMessageProcessorResult;
import com.helger.phase4.incoming.spi.IAS4IncomingMessageProcessorSPI;
import com.helger.phase4.model.error.EEbmsError;
import com.helger.phase4.model.error.IEbmsError;
import com.helger.phase4.model.pmode.IPMode;
import com.helger.phase4.servlet.AS4UnifiedResponse;
import com.helger.phase4.servlet.AS4XServletHandler;
import com.helger.phase4.servlet.IAS4ServletRequestHandlerCustomizer;
import com.helger.phase4.wss.AS4CertificateOnlySignatureTrustValidator;
import com.helger.security.certificate.TrustedCAChecker;
import com.helger.web.scope.IRequestWebScopeWithoutResponse;
import com.helger.xservlet.AbstractXServlet;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.apache.wss4j.dom.WSConstants;
import org.apache.wss4j.dom.engine.WSSConfig;
import org.apache.wss4j.dom.str.STRParser.REFERENCE_TYPE;
import org.w3c.dom.Node;

/**
 * An access point on phase4's own servlet handler: it lays what it takes into a folder.
 *
 * <p>Everything up to the open, verified message is phase4's: MIME, WS-Security, the profile's rules, duplicate detection,
 * receipts and errors. The few rules of Peppol beyond them, which phase4-peppol-servlet would add, are written here, with
 * the reader of the envelope that peppol-commons brings.
 */
final class Receiver implements IAS4IncomingMessageProcessorSPI {
  /** What it answers to whoever sends something flawless. */
  enum Mood {
    WILLING,
    /** The receiver has no such participant. */
    NOT_SERVICED,
    /** As phase4 4.5 answers what it has taken before; 4.4 calls it EBMS:0004. */
    REPEATED
  }

  private final IAS4CryptoFactory cryptoFactory;
  private final TrustedCAChecker checker;
  private final Path inbox;
  volatile Mood mood = Mood.WILLING;

  Receiver(Keys keys, Path inbox) throws Exception {
    this.cryptoFactory = keys.cryptoFactory();
    this.checker = keys.checker();
    this.inbox = Files.createDirectories(inbox);
  }

  AbstractXServlet servlet() {
    AS4XServletHandler handler = new AS4XServletHandler();
    handler.setRequestHandlerCustomizer(
        new IAS4ServletRequestHandlerCustomizer() {
          @Override
          public void customizeBeforeHandling(
              IRequestWebScopeWithoutResponse scope, AS4UnifiedResponse response, AS4RequestHandler request) {
            request.setCryptoFactory(cryptoFactory);
            request.setProcessorSupplier(() -> new CommonsArrayList<>(Receiver.this));
            AS4IncomingSecurityConfiguration security = AS4IncomingSecurityConfiguration.createDefaultInstance();
            security.setDecryptParameterModifier(
                new IAS4DecryptParameterModifier() {
                  @Override
                  public void modifyWSSConfig(WSSConfig config) {
                    config.setValidator(WSConstants.SIGNATURE, new AS4CertificateOnlySignatureTrustValidator());
                  }
                });
            request.setIncomingSecurityConfiguration(security);
          }

          @Override
          public void customizeAfterHandling(
              IRequestWebScopeWithoutResponse scope, AS4UnifiedResponse response, AS4RequestHandler request) {}
        });
    return new AbstractXServlet() {
      {
        settings().setMultipartEnabled(false);
        handlerRegistry().registerHandler(EHttpMethod.POST, handler);
      }
    };
  }

  @Override
  public AS4MessageProcessorResult processAS4UserMessage(
      IAS4IncomingMessageMetadata metadata,
      HttpHeaderMap headers,
      Ebms3UserMessage message,
      IPMode mode,
      Node payload,
      ICommonsList<WSS4JAttachment> attachments,
      IAS4IncomingMessageState state,
      AS4ErrorList errors) {
    Refusals refusals = new Refusals(state, errors);
    if (!state.isSoapDecrypted() || !state.isSoapSignatureChecked()) {
      return refusals.add(EEbmsError.EBMS_POLICY_NONCOMPLIANCE, "not encrypted and signed");
    }
    if (state.getSigningCertificateReferenceType() != REFERENCE_TYPE.DIRECT_REF
        || state.getDecryptingCertificateReferenceType() != REFERENCE_TYPE.DIRECT_REF) {
      return refusals.add(EEbmsError.EBMS_POLICY_NONCOMPLIANCE, "a certificate is not in a BinarySecurityToken");
    }
    if (checker.checkCertificate(state.getSigningCertificate()).isInvalid()) {
      return refusals.add(EEbmsError.EBMS_FAILED_AUTHENTICATION, "not the certificate of an access point");
    }
    if (attachments == null || attachments.size() != 1) {
      return refusals.add(EEbmsError.EBMS_OTHER, "not exactly one payload");
    }
    try (InputStream stream = attachments.get(0).getSourceStream()) {
      byte[] bytes = stream.readAllBytes();
      PeppolSBDHData header =
          new PeppolSBDHDataReader(PeppolIdentifierFactory.INSTANCE).extractData(new ByteArrayInputStream(bytes));
      String sender = property(message, CAS4.ORIGINAL_SENDER);
      String recipient = property(message, CAS4.FINAL_RECIPIENT);
      if (!header.getSenderURIEncoded().equals(sender) || !header.getReceiverURIEncoded().equals(recipient)) {
        return refusals.add(EEbmsError.EBMS_OTHER, "the message names other participants than its envelope");
      }
      switch (mood) {
        case NOT_SERVICED:
          return refusals.add(EEbmsError.EBMS_OTHER, "PEPPOL:NOT_SERVICED");
        case REPEATED:
          return refusals.add("EBMS:4001", "DuplicateDetected", "this is a duplicate");
        default:
          keep(message, header, bytes);
          return AS4MessageProcessorResult.createSuccess();
      }
    } catch (IOException | PeppolSBDHDataReadException exception) {
      return refusals.add(EEbmsError.EBMS_OTHER, exception.toString());
    }
  }

  private void keep(Ebms3UserMessage message, PeppolSBDHData header, byte[] bytes) throws IOException {
    JsonObject facts = new JsonObject();
    facts.add("message_id", message.getMessageInfo().getMessageId());
    facts.add("from", message.getPartyInfo().getFrom().getPartyIdAtIndex(0).getValue());
    facts.add("to", message.getPartyInfo().getTo().getPartyIdAtIndex(0).getValue());
    facts.add("service", message.getCollaborationInfo().getServiceValue());
    facts.add("service_type", message.getCollaborationInfo().getService().getType());
    facts.add("action", message.getCollaborationInfo().getAction());
    facts.add("sender", header.getSenderURIEncoded());
    facts.add("receiver", header.getReceiverURIEncoded());
    facts.add("document", header.getDocumentTypeAsIdentifier().getURIEncoded());
    facts.add("process", header.getProcessAsIdentifier().getURIEncoded());
    facts.add("country", header.getCountryC1());
    facts.add("instance_id", header.getInstanceIdentifier());
    String name = message.getMessageInfo().getMessageId().replaceAll("[^A-Za-z0-9@.-]", "_");
    Files.write(inbox.resolve(name + ".xml"), bytes);
    Files.writeString(inbox.resolve(name + ".json"), facts.getAsJsonString());
  }

  private static String property(Ebms3UserMessage message, String name) {
    List<Ebms3Property> properties = message.getMessageProperties().getProperty();
    return properties.stream()
        .filter(one -> name.equals(one.getName()))
        .map(one -> one.getType() + "::" + one.getValue())
        .findFirst()
        .orElse("");
  }

  /** Puts errors where phase4 makes the answer of them. */
  private record Refusals(IAS4IncomingMessageState state, AS4ErrorList errors) {
    AS4MessageProcessorResult add(IEbmsError kind, String detail) {
      Locale locale = state.getLocale();
      errors.add(kind.errorBuilder(locale).refToMessageInError(state.getMessageID()).errorDetail(detail).build());
      return AS4MessageProcessorResult.createFailure();
    }

    AS4MessageProcessorResult add(String code, String name, String detail) {
      errors.add(
          EEbmsError.EBMS_OTHER
              .errorBuilder(state.getLocale())
              .errorCode(code)
              .shortDescription(name)
              .refToMessageInError(state.getMessageID())
              .errorDetail(detail)
              .build());
      return AS4MessageProcessorResult.createFailure();
    }
  }

  @Override
  public AS4SignalMessageProcessorResult processAS4SignalMessage(
      IAS4IncomingMessageMetadata metadata,
      HttpHeaderMap headers,
      Ebms3SignalMessage message,
      IPMode mode,
      IAS4IncomingMessageState state,
      AS4ErrorList errors) {
    return AS4SignalMessageProcessorResult.createSuccess();
  }

  @Override
  public void processAS4ResponseMessage(
      IAS4IncomingMessageMetadata metadata,
      IAS4IncomingMessageState state,
      String id,
      byte[] response,
      boolean available,
      AS4ErrorList errors) {}
}
