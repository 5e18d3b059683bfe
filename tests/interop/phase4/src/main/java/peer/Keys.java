package peer;

import com.helger.phase4.crypto.AS4CryptoFactoryInMemoryKeyStore;
import com.helger.phase4.crypto.IAS4CryptoFactory;
import com.helger.security.certificate.TrustedCAChecker;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Collections;
import java.util.List;

/** A key, its certificate and the authorities that are trusted, of the PEM files in a folder. */
record Keys(PrivateKey key, X509Certificate certificate, KeyStore trusted) {
  private static final char[] PASSWORD = "interop".toCharArray();

  static Keys of(Path folder) throws IOException, GeneralSecurityException {
    KeyStore trusted = emptyStore();
    for (X509Certificate one : certificates(Files.readString(folder.resolve("trusted.pem")))) {
      trusted.setCertificateEntry(one.getSubjectX500Principal().getName(), one);
    }
    String pem = Files.readString(folder.resolve("key.pem")).replaceAll("-----[A-Z ]+-----|\\s", "");
    PrivateKey key = KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
    return new Keys(key, certificate(Files.readString(folder.resolve("certificate.pem"))), trusted);
  }

  /** What phase4 signs and decrypts with, and whom it trusts. */
  IAS4CryptoFactory cryptoFactory() throws IOException, GeneralSecurityException {
    KeyStore own = emptyStore();
    own.setKeyEntry("own", key, PASSWORD, new Certificate[] {certificate});
    return new AS4CryptoFactoryInMemoryKeyStore(own, "own", PASSWORD, trusted);
  }

  /** Whose certificates are those of access points. */
  TrustedCAChecker checker() throws GeneralSecurityException {
    List<X509Certificate> authorities = new ArrayList<>();
    for (String alias : Collections.list(trusted.aliases())) {
      authorities.add((X509Certificate) trusted.getCertificate(alias));
    }
    return new TrustedCAChecker(authorities.toArray(X509Certificate[]::new));
  }

  static X509Certificate certificate(String pem) throws GeneralSecurityException {
    return certificates(pem).iterator().next();
  }

  @SuppressWarnings("unchecked")
  private static Collection<X509Certificate> certificates(String pem) throws GeneralSecurityException {
    ByteArrayInputStream stream = new ByteArrayInputStream(pem.getBytes(StandardCharsets.US_ASCII));
    return (Collection<X509Certificate>) CertificateFactory.getInstance("X.509").generateCertificates(stream);
  }

  private static KeyStore emptyStore() throws IOException, GeneralSecurityException {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, PASSWORD);
    return store;
  }
}
