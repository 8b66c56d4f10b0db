/** Entry of the enclave worker: the one thread that holds a node's keys. */
import { randomBytes, sign } from "node:crypto";
import { type MessagePort, workerData } from "node:worker_threads";
import * as Comlink from "comlink";
import { Enclave } from "../../actors/enclave/enclave.actor.ts";
import { sealed } from "../../actors/enclave/custody.ts";
import { ok } from "../../base/result.ts";
import { readPrivate, writeAtomic } from "../founding/files.ts";
import { openCeremonyJournal } from "./journal.ts";
import { demand, nodeFiles, readBootFile, readBootKey, writeBootFile } from "./node-files.ts";
import { ceremonyBegan, ceremonyStepped } from "../inspector/ceremony-entries.ts";
import type {
  EnclaveControl,
  EnclaveEvent,
  EnclaveWorkerData,
  SigningReply,
  SigningRequest,
} from "./worker-protocol.ts";
import { x25519PublicKey } from "./x25519.ts";
import { KEYSTORE_BYTES_MAX } from "../../actors/enclave/keystore.ts";
import { reclaimOnce } from "../node/reclaim.ts";

const { directory, founding, control, events } = workerData as EnclaveWorkerData; // what startEnclave passes
const files = nodeFiles(directory);
const bootKey = readBootKey(directory);
const tell = (event: EnclaveEvent): void => events.postMessage(event);

const enclave = new Enclave(founding, {
  now: () => Date.now(),
  random: (length) => new Uint8Array(randomBytes(length)),
  x25519PublicKey,
  bootSign: (message) => new Uint8Array(sign(null, message, bootKey)),
  journal: openCeremonyJournal(files.journal),
  keystore: {
    read: () => demand(readPrivate(files.keystore, KEYSTORE_BYTES_MAX)),
    write: (file) => writeAtomic(files.keystore, file),
  },
  bootFile: {
    read: () => demand(readBootFile(directory)).dealt,
    write: (dealt) => writeBootFile(directory, { name: founding.node.name, aid: founding.node.aid, dealt }),
  },
  timer: (at, fire) => {
    const timeout = setTimeout(fire, Math.max(0, at - Date.now()));
    return () => clearTimeout(timeout);
  },
  began: (snapshot) => tell({ kind: "ceremony", ...ceremonyBegan(snapshot) }),
  stepped: (...step) => tell({ kind: "ceremony", ...ceremonyStepped(...step) }),
  onDraining: (exit) => tell({ kind: "draining", exit }),
  onSealed: (exit) => tell({ kind: "sealed", exit }),
  onFatal: (error) => {
    setImmediate(() => {
      throw error; // outside every promise: the worker ends, and its supervisor learns why
    });
  },
});

function serve(port: MessagePort): void {
  port.on("message", (request: SigningRequest) => {
    const mark = request.kind === "mark" ? enclave.macMark(request.bytes) : undefined;
    const result =
      request.kind === "sign"
        ? enclave.sign(request.key, request.messages)
        : mark?.ok
          ? ok([mark.value])
          : (mark ?? sealed());
    port.postMessage({ id: request.id, result } satisfies SigningReply);
  });
}

/** Loaded when first asked for: the X.509 library takes longer to load than everything else here (90 ms). */
const certificates = () => import("./certificates.ts");
const revocation = () => import("./revocation.ts");
const subject = { cluster: founding.cluster, aid: founding.node.aid };
const api: EnclaveControl = {
  status: async () => enclave.status(),
  openWithPassphrase: (passphrase) => enclave.openWithPassphrase(passphrase),
  initialise: (caller) => enclave.initialise(caller),
  fetchShare: async (caller) => enclave.fetchShare(caller),
  acknowledgeShare: (caller, index, signature, key) => enclave.acknowledgeShare(caller, index, signature, key),
  beginUnseal: (caller) => enclave.beginUnseal(caller),
  sessionKey: (caller) => enclave.sessionKey(caller),
  apply: (caller, share, key) => enclave.apply(caller, share, key),
  unwrap: (caller, ceremony) => enclave.unwrap(caller, ceremony),
  cancel: (caller, ceremony) => enclave.cancel(caller, ceremony),
  seal: (caller, question) => enclave.seal(caller, question),
  drained: () => enclave.drained(),
  keys: async () => enclave.keys(),
  prepareRotation: (last) => enclave.prepareRotation(last),
  settleRotation: (inForce) => enclave.settleRotation(inForce),
  issueCertificate: async (request) => {
    const custody = enclave.custody();
    return custody === null ? sealed() : ok(await (await certificates()).nodeCertificate(custody, subject, request));
  },
  revocationList: async (input) => {
    const custody = enclave.custody();
    return custody === null ? sealed() : ok((await revocation()).signRevocationList(custody, input));
  },
  ocspAnswer: async (input) => {
    const custody = enclave.custody();
    return custody === null ? sealed() : ok((await revocation()).signOcspAnswer(custody, input));
  },
  bootCertificate: async (request) => (await certificates()).bootCertificate(bootKey, subject, request),
  connect: async (port) => {
    serve(port);
    reclaimOnce();
  },
};

Comlink.expose(api, control);
control.start();
