/** A certificate authority as others run one: root and intermediate, made and used by OpenSSL. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

export class Authority {
  readonly directory = mkdtempSync(path.join(tmpdir(), "sky-authority-"));
  #serial = 0x51_00;

  constructor(name = "Test") {
    this.#root(name);
    this.intermediate(name);
  }

  path(name: string): string {
    return path.join(this.directory, name);
  }

  text(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  clean(): void {
    rmSync(this.directory, { recursive: true });
  }

  #openssl(...args: string[]): string {
    return execFileSync("openssl", args, { cwd: this.directory, stdio: ["ignore", "pipe", "pipe"] }).toString();
  }

  #key(name: string): void {
    this.#openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", `${name}.key`);
    execFileSync("chmod", ["600", this.path(`${name}.key`)]);
  }

  #root(name: string): void {
    this.#key("root");
    this.#openssl(
      ...[
        "req",
        "-x509",
        "-new",
        "-key",
        "root.key",
        "-subj",
        `/O=${name}/CN=${name} root`,
        "-days",
        "30",
        "-out",
        "root.pem",
      ],
      ...["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
    );
  }

  /** A new one under the same root: key, certificate, and chain.pem of both. */
  intermediate(name: string): void {
    this.#key("intermediate");
    this.#openssl("req", "-new", "-key", "intermediate.key", "-subj", `/O=${name}/CN=${name} issuing`, "-out", "i.csr");
    writeFileSync(
      this.path("i.ext"),
      "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
    );
    this.#sign("i.csr", "root", "intermediate.pem", 20, "-extfile", "i.ext");
    writeFileSync(this.path("chain.pem"), this.text("intermediate.pem") + this.text("root.pem"));
  }

  /** Certificate and key of a TLS server on loopback. */
  server(): { readonly key: string; readonly cert: string } {
    this.#key("server");
    this.#openssl("req", "-new", "-key", "server.key", "-subj", "/CN=vault", "-out", "s.csr");
    writeFileSync(this.path("s.ext"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
    this.#sign("s.csr", "root", "server.pem", 5, "-extfile", "s.ext");
    return { key: this.text("server.key"), cert: this.text("server.pem") };
  }

  /** Signs a request (PEM): with all that it asks for, or with the names alone. Returns PEM. */
  issue(csr: string, names: readonly string[], days: number, isVerbatim: boolean): string {
    writeFileSync(this.path("leaf.csr"), csr);
    writeFileSync(this.path("leaf.ext"), `subjectAltName=${names.join(",")}\nextendedKeyUsage=serverAuth\n`);
    const how = isVerbatim ? ["-copy_extensions", "copyall"] : ["-extfile", "leaf.ext"];
    this.#sign("leaf.csr", "intermediate", "leaf.pem", days, ...how);
    return this.text("leaf.pem");
  }

  /** What OpenSSL says of a leaf (PEM) with its intermediates under this root. */
  verify(leaf: string, intermediates: string): string {
    writeFileSync(this.path("v.pem"), leaf);
    writeFileSync(this.path("vi.pem"), intermediates);
    return this.#openssl("verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "vi.pem", "v.pem");
  }

  /** A request as OpenSSL makes it, DER. */
  request(config: readonly string[]): Uint8Array {
    this.#key("asking");
    this.#openssl("req", "-new", "-key", "asking.key", "-outform", "DER", "-out", "asking.csr", ...config);
    return new Uint8Array(readFileSync(this.path("asking.csr")));
  }

  crlText(file: string): string {
    return execFileSync(
      "sh",
      ["-c", `openssl crl -inform DER -in "${file}" -noout -text -CAfile intermediate.pem 2>&1`],
      { cwd: this.directory },
    ).toString();
  }

  #sign(csr: string, by: string, out: string, days: number, ...more: string[]): void {
    this.#serial += 1;
    this.#openssl(
      ...["x509", "-req", "-in", csr, "-CA", `${by}.pem`, "-CAkey", `${by}.key`, "-days", String(days), "-out", out],
      ...["-set_serial", `0x7f${this.#serial.toString(16)}`, ...more],
    );
  }
}
