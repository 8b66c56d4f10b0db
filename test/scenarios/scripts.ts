/** Where the golden scripts are, and in which language each is written. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ceremonyLanguage } from "./ceremony/language.ts";
import { consensusLanguage } from "./consensus/language.ts";
import { type Language, perform } from "./script.ts";

const LANGUAGES: Readonly<Record<string, Language>> = { consensus: consensusLanguage, ceremony: ceremonyLanguage };

export interface Script {
  /** Folder and file without its ending: "consensus/rule-01-quiet". */
  readonly name: string;
  readonly path: string;
  readonly text: string;
  /** The same script with the effects that it has now. Throws: ScriptError. */
  readonly performed: () => string;
}

/** All scripts, in order of their names. */
export const scripts = (): readonly Script[] =>
  Object.entries(LANGUAGES).flatMap(([folder, language]) => {
    const directory = join(import.meta.dirname, folder);
    const files = readdirSync(directory).filter((file) => file.endsWith(".txt"));
    return files.sort().map((file) => {
      const path = join(directory, file);
      const text = readFileSync(path, "utf8");
      return {
        name: `${folder}/${file.slice(0, -".txt".length)}`,
        path,
        text,
        performed: () => perform(text, language),
      };
    });
  });
