/** A small disk for each node: ext4 in a file where loop devices are allowed, else memory, else none. */
import { appendFileSync, closeSync, existsSync, ftruncateSync, mkdirSync, openSync, rmSync, statfsSync } from "node:fs";
import { run } from "./commands.ts";

/** Room for a long run, and soon filled. */
const DISK_MIB = 512;
const MIB = 2 ** 20;

export interface Disk {
  readonly kind: "ext4" | "tmpfs";
  /** Leaves not a byte. */
  fill(): Promise<void>;
  free(): void;
}

/** Mounts a disk on a directory, for a process with a mount namespace of its own. Throws: Error. */
export async function mountDisk(directory: string, image: string): Promise<Disk> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const kind = await mountImage(directory, image).then(
    () => "ext4" as const,
    async () => {
      rmSync(image, { force: true });
      await run("mount", "-t", "tmpfs", "-o", `size=${DISK_MIB}m,mode=700`, "tmpfs", directory);
      return "tmpfs" as const;
    },
  );
  const ballast = `${directory}/ballast`;
  return {
    kind,
    fill: async () => {
      const { bavail, bsize } = statfsSync(directory);
      // All at once as far as it goes; the rest, that a file's own records take, byte by byte.
      await run("fallocate", "-l", String(Math.max(bavail * bsize - MIB, 1)), ballast);
      fillUp(ballast);
    },
    free: () => rmSync(ballast, { force: true }),
  };
}

async function mountImage(directory: string, image: string): Promise<void> {
  const file = openSync(image, "w", 0o600);
  ftruncateSync(file, DISK_MIB * MIB);
  closeSync(file);
  await run("mkfs.ext4", "-q", "-m", "0", image);
  await run("mount", "-o", "loop", image, directory);
}

function fillUp(ballast: string): void {
  for (const size of [64 * 1024, 4096, 1]) {
    const piece = Buffer.alloc(size);
    try {
      for (;;) appendFileSync(ballast, piece);
    } catch (error) {
      if (!existsSync(ballast) || !isFull(error)) throw error;
    }
  }
}

const isFull = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOSPC";
