import com.helger.io.resource.FileSystemResource;
import com.helger.phive.api.execute.ValidationExecutionManager;
import com.helger.phive.api.executorset.IValidationExecutorSet;
import com.helger.phive.api.executorset.ValidationExecutorSetRegistry;
import com.helger.phive.api.validity.IValidityDeterminator;
import com.helger.phive.peppol.PeppolValidation2026_05;
import com.helger.phive.xml.source.IValidationSourceXML;
import com.helger.phive.xml.source.ValidationSourceXML;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.util.Locale;

/** phive validates the documents of a folder: {@code Bench FOLDER WARM}, warm for so many seconds. Says "ready", then answers each
 * line {@code LINES SECONDS} with documents a second. A document is read from its bytes each time, as ours is. */
public final class Bench {
    private final IValidationExecutorSet<IValidationSourceXML> rules;
    private final File folder;

    private Bench(File folder) {
        ValidationExecutorSetRegistry<IValidationSourceXML> registry = new ValidationExecutorSetRegistry<>();
        PeppolValidation2026_05.init(registry);
        this.rules = registry.getOfID(PeppolValidation2026_05.VID_OPENPEPPOL_INVOICE_UBL_V3);
        this.folder = folder;
    }

    private double window(String lines, double seconds) {
        File file = new File(folder, lines + ".xml");
        long started = System.nanoTime();
        double elapsed;
        int count = 0;
        do {
            var source = ValidationSourceXML.create(new FileSystemResource(file));
            var found = ValidationExecutionManager.executeValidation(
                IValidityDeterminator.createDefault(), rules, source, Locale.ENGLISH);
            if (found.containsAtLeastOneError()) {
                throw new IllegalStateException("phive refuses the document: " + found.getAllErrors());
            }
            count++;
            elapsed = (System.nanoTime() - started) / 1e9;
        } while (elapsed < seconds);
        return count / elapsed;
    }

    public static void main(String[] arguments) throws Exception {
        Bench bench = new Bench(new File(arguments[0]));
        bench.window("10", Double.parseDouble(arguments[1]));
        System.out.println("ready");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            System.out.println(bench.window(words[0], Double.parseDouble(words[1])));
        }
    }
}
