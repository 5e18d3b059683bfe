package peer;

import com.helger.json.IJsonObject;
import com.helger.json.JsonArray;
import com.helger.json.JsonObject;
import com.helger.peppolid.factory.PeppolIdentifierFactory;
import com.helger.phase4.crypto.IAS4CryptoFactory;
import com.helger.phase4.ebms3header.Ebms3Error;
import com.helger.phase4.messaging.http.HttpRetrySettings;
import com.helger.phase4.peppol.Phase4PeppolSender;
import com.helger.phase4.sender.IAS4SignalMessageValidationResultHandler;
import com.helger.security.certificate.CertificateHelper;
import com.helger.security.certificate.TrustedCAChecker;
import java.nio.file.Files;
import java.nio.file.Path;

/** Sends by Phase4PeppolSender, to an address and a certificate that are given instead of looked up. */
final class Sender {
  private static final PeppolIdentifierFactory IDS = PeppolIdentifierFactory.INSTANCE;
  private final String name;
  private final IAS4CryptoFactory cryptoFactory;
  private final TrustedCAChecker checker;

  Sender(Keys keys) throws Exception {
    this.name = CertificateHelper.getSubjectCN(keys.certificate());
    this.cryptoFactory = keys.cryptoFactory();
    this.checker = keys.checker();
  }

  /**
   * Of a command with url, certificate (PEM), document (a file), sender, receiver, document_id, process and message_id, where
   * identifiers are "scheme::value".
   */
  IJsonObject send(IJsonObject command) throws Exception {
    JsonObject answer = new JsonObject();
    JsonArray errors = new JsonArray();
    Phase4PeppolSender.PeppolUserMessageBuilder builder =
        Phase4PeppolSender.builder()
            .cryptoFactory(cryptoFactory)
            .peppolAP_CAChecker(checker)
            .httpRetrySettings(new HttpRetrySettings().setMaxRetries(0))
            .messageID(command.getAsString("message_id"))
            .senderPartyID(name)
            .senderParticipantID(IDS.parseParticipantIdentifier(command.getAsString("sender")))
            .receiverParticipantID(IDS.parseParticipantIdentifier(command.getAsString("receiver")))
            .documentTypeID(IDS.parseDocumentTypeIdentifier(command.getAsString("document_id")))
            .processID(IDS.parseProcessIdentifier(command.getAsString("process")))
            .countryC1("DK")
            .payload(Files.readAllBytes(Path.of(command.getAsString("document"))))
            .receiverEndpointDetails(Keys.certificate(command.getAsString("certificate")), command.getAsString("url"))
            .disableValidation()
            .signalMsgConsumer(
                (signal, metadata, state) -> {
                  answer.add("signed", state.isSoapSignatureChecked());
                  answer.add("receipt", signal.getReceipt() != null);
                  for (Ebms3Error error : signal.getError()) {
                    errors.add(new JsonObject().add("code", error.getErrorCode()).add("detail", error.getErrorDetail()));
                  }
                })
            .signalMsgValidationResultHdl(
                new IAS4SignalMessageValidationResultHandler() {
                  @Override
                  public void onSuccess() {
                    answer.add("references", "ours");
                  }

                  @Override
                  public void onError(String message) {
                    answer.add("references", message);
                  }

                  @Override
                  public void onNotApplicable() {
                    answer.add("references", "none");
                  }
                });
    answer.add(
        "result",
        builder.sendMessageAndCheckForReceipt(exception -> answer.add("exception", exception.toString())).name());
    answer.add("errors", errors);
    return answer;
  }
}
