/** Entry of the thread that reads all rows of the projection that serves, from a snapshot, and says whether they hold. */
import { parentPort, workerData } from "node:worker_threads";
import { judgeServing } from "./database.ts";

parentPort?.postMessage(judgeServing(workerData as string));
