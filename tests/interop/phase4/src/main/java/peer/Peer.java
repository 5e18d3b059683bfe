package peer;

import com.helger.json.IJsonObject;
import com.helger.json.JsonObject;
import com.helger.json.serialize.JsonReader;
import com.helger.phase4.incoming.AS4ServerInitializer;
import com.helger.phase4.incoming.mgr.AS4ProfileSelector;
import com.helger.phase4.profile.peppol.AS4PeppolProfileRegistarSPI;
import com.helger.security.revocation.CertificateRevocationCheckerDefaults;
import com.helger.security.revocation.ERevocationCheckMode;
import com.helger.web.scope.mgr.WebScopeManager;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/**
 * An access point of phase4, run by the tests: {@code java peer.Peer <folder>}.
 *
 * <p>The folder holds key.pem, certificate.pem and trusted.pem; what is received goes into inbox/. It prints a line of JSON
 * with its port, then one for each line of JSON that it reads: {@code do} is "mood", "send", "publish", "check" or
 * "container".
 */
public final class Peer {
  private Peer() {}

  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]);
    // The test's authorities publish no lists of what they revoke.
    CertificateRevocationCheckerDefaults.setRevocationCheckMode(ERevocationCheckMode.NONE);
    Keys keys = Keys.of(folder);
    Server server = new Server();
    ServerConnector connector = new ServerConnector(server);
    connector.setHost("127.0.0.1");
    server.addConnector(connector);
    ServletContextHandler context = new ServletContextHandler("/");
    server.setHandler(context);
    WebScopeManager.onGlobalBegin(context.getServletContext());
    AS4ProfileSelector.setCustomDefaultAS4ProfileID(AS4PeppolProfileRegistarSPI.AS4_PROFILE_ID);
    AS4ServerInitializer.initAS4Server();
    Receiver receiver = new Receiver(keys, folder.resolve("inbox"));
    context.addServlet(new ServletHolder(receiver.servlet()), "/as4");
    server.start();
    System.out.println(new JsonObject().add("port", connector.getLocalPort()).getAsJsonString());
    serve(receiver, new Sender(keys), new Register(keys));
    server.stop();
    AS4ServerInitializer.shutdownAS4Server();
    WebScopeManager.onGlobalEnd();
  }

  private static void serve(Receiver receiver, Sender sender, Register register) throws Exception {
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      IJsonObject command = JsonReader.readFromString(line).getAsObject();
      IJsonObject answer;
      try {
        switch (command.getAsString("do")) {
          case "mood" -> {
            receiver.mood = Receiver.Mood.valueOf(command.getAsString("mood"));
            answer = new JsonObject();
          }
          case "send" -> answer = sender.send(command);
          case "publish" -> answer = register.publish(command);
          case "check" -> answer = register.check(command);
          case "container" -> answer = Container.check(command);
          default -> throw new IllegalArgumentException(line);
        }
      } catch (Exception exception) {
        answer = new JsonObject().add("failed", exception.toString());
        exception.printStackTrace();
      }
      System.out.println(answer.getAsJsonString());
    }
  }
}
