import { SETTING_KEYS, flagOf, settingOf } from "./schema.ts";
import { isDerived } from "./setting.ts";

const formatDefault = (fallback: unknown): string => {
  if (fallback === undefined) return "–";
  if (isDerived(fallback)) return fallback.rule;
  if (Array.isArray(fallback)) return fallback.length === 0 ? "–" : `\`${fallback.join(",")}\``;
  return `\`${typeof fallback === "string" ? fallback : JSON.stringify(fallback)}\``;
};

/** docs/CONFIGURATION.md, from the schema. */
export function configurationMarkdown(): string {
  const rows = SETTING_KEYS.map((key) => {
    const { description, bounds, fallback, env, secret } = settingOf(key);
    const cells = [
      secret ? "–" : `\`${key}\``,
      secret ? "–" : `\`--${flagOf(key)}\``,
      `\`${env}\``,
      formatDefault(fallback),
      `${description} (${bounds.replaceAll("|", "\\|")})`,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return `${HEAD}\n| YAML key | flag | environment | default | what it is |\n|---|---|---|---|---|\n${rows.join("\n")}\n`;
}

const HEAD = `# Configuration

<!-- Written by \`npm run docs\` from src/host/config/schema.ts; a test fails when it is not current. -->

A node takes each value from the first of these that has it: a **flag** of \`sky node\`, the **environment**, the **YAML file** that
\`--config FILE\` names, the **default**. \`sky config explain\` prints every value and where it came from, and takes the same
flags. Before anything starts, an unknown YAML key, an unknown environment variable that begins with \`SKY_\`, or a value out of bounds is
an error that names it.

The YAML file is a flat map:

\`\`\`yaml
dataDir: /var/lib/sky
bindInterface: 10.0.0.4
apiPort: 8123
logFile: /var/log/sky/node.log
\`\`\`

Secrets are never flags and never stand in the file: a founder's passphrase, which a node needs only until its root is dealt, is asked for on
the terminal or read from standard input ([OPERATING.md](OPERATING.md)). \`sky dev\` takes no settings: it gives its nodes their ports and directories.

What a client may ask for is fixed, the same on every node: a call's deadline is 5 s for reads and 30 s for writes unless the client names one, and
never later than 30 s and 120 s; a request has at most 4 MiB.
`;
