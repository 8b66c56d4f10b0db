/** Certificates and the log, at a node that serves: its own are recorded, revoked ones go out of force here, those outside are told. */
import type { Aid } from "../../base/brands.ts";
import { present } from "../../base/errors.ts";
import type { RevokedKey } from "../../projections/certificates/live-certificates.ts";
import type { Ledger } from "../../projections/ledger/ledger.ts";
import type { ConsensusHost } from "../consensus/consensus-host.ts";
import { RevocationService, revocationRoute } from "../issuers/revocation-service.ts";
import type { IdentityRoute } from "../listeners/identity-http.ts";
import { CertificateRecorder, type RecorderOptions } from "./certificate-recorder.ts";
import type { ClientPorts } from "./client-ports.ts";
import type { ServingOptions } from "./serving-options.ts";

export interface CertificateRoomParts {
  readonly ledger: () => Ledger;
  readonly submit: RecorderOptions["submit"];
  readonly consensus: () => Pick<ConsensusHost, "revokedKeys"> | undefined;
  readonly clientPorts: () => ClientPorts | undefined;
}

export class CertificateRoom {
  readonly route: IdentityRoute;
  readonly #options: ServingOptions;
  readonly #parts: CertificateRoomParts;
  readonly #recorder: CertificateRecorder;
  readonly #revocations: RevocationService;
  readonly #members: ReadonlySet<Aid>;

  constructor(options: ServingOptions, parts: CertificateRoomParts) {
    const { aid, founding, enclave, logger, metrics } = options;
    const { founders } = founding.document;
    const now = (): number => Date.now();
    this.#options = options;
    this.#parts = parts;
    this.#members = new Set(founders.map((founder) => founder.aid));
    this.#revocations = new RevocationService({
      aid,
      issuer: present(
        founders.find((founder) => founder.aid === aid),
        "the node is a founder",
      ).issuer,
      certificates: () => parts.ledger().certificates,
      signer: enclave,
      now,
    });
    this.#recorder = new CertificateRecorder({ aid, submit: parts.submit, now, logger, metrics });
    this.route = revocationRoute(aid, () => this.#revocations);
  }

  /** The node's issuer signed a chain, leaf first. */
  issued(chain: readonly Uint8Array[]): void {
    this.#recorder.issued(chain);
  }

  /** Commands can be ordered from now on. */
  open(): void {
    this.#recorder.open();
  }

  stop(): void {
    this.#recorder.stop();
  }

  /** From this height on; nothing was fetched for it. */
  revoked(keys: readonly RevokedKey[]): void {
    const { consensus, clientPorts } = this.#parts;
    const ofMembers = keys.filter(({ aid }) => this.#members.has(aid));
    if (ofMembers.length > 0) consensus()?.revokedKeys(ofMembers);
    this.#revocations.changed();
    clientPorts()?.revoked();
    this.#options.onRevokedKeys(keys);
    if (clientPorts() === undefined || !keys.some(({ aid }) => aid === this.#options.aid)) return;
    // One of its own: fresh keys take the place of all, since which listener shows it does not matter.
    this.#options.logger.warn("A certificate of this node was revoked; its certificates are renewed");
    this.#options.certificates.renewAll().then(
      () => clientPorts()?.retire(true),
      () => {}, // told by what renews them
    );
  }
}
