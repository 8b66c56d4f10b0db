/** `sky completion SHELL`: a script that completes commands and options, made from the program itself. */
import type { Command } from "commander";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** What may follow a command: its subcommands and long options. */
interface Choices {
  /** Words after `sky`, such as "config explain". */
  readonly path: string;
  readonly words: readonly string[];
}

function choicesOf(command: Command, path: string): readonly Choices[] {
  const names = command.commands.map((one) => one.name());
  const flags = command.options.flatMap((option) =>
    option.long === undefined || option.long === null ? [] : [option.long],
  );
  return [
    { path, words: [...names, ...flags, "--help"] },
    ...command.commands.flatMap((one) => choicesOf(one, path === "" ? one.name() : `${path} ${one.name()}`)),
  ];
}

export function completionScript(program: Command, shell: Shell): string {
  const choices = choicesOf(program, "");
  switch (shell) {
    case "bash":
      return bash(choices);
    case "zsh":
      return `autoload -U +X bashcompinit && bashcompinit\n${bash(choices)}`;
    case "fish":
      return fish(choices);
  }
}

/** Files complete where no word fits, since many options name one. */
const bash = (
  choices: readonly Choices[],
): string => `# sky: source this, or: sky completion bash > /etc/bash_completion.d/sky
_sky() {
  local path="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      -*) ;;
      *) case " ${choices.map((one) => one.path.replaceAll(" ", "_")).join(" ")} " in
           *" \${path:+\${path}_}\${COMP_WORDS[i]} "*) path="\${path:+\${path}_}\${COMP_WORDS[i]}" ;;
         esac ;;
    esac
  done
  case "$path" in
${choices.map(({ path, words }) => `    "${path.replaceAll(" ", "_")}") words="${words.join(" ")}" ;;`).join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _sky sky
`;

const fish = (choices: readonly Choices[]): string => {
  const lines = choices.flatMap(({ path, words }) => {
    const deeper = words.filter((word) => !word.startsWith("-"));
    const seen =
      path === "" ? ["__fish_use_subcommand"] : path.split(" ").map((word) => `__fish_seen_subcommand_from ${word}`);
    const guards =
      deeper.length > 0 && path !== "" ? [...seen, `not __fish_seen_subcommand_from ${deeper.join(" ")}`] : seen;
    const condition = guards.join("; and ");
    return words.map((word) =>
      word.startsWith("--")
        ? `complete -c sky -n "${condition}" -l ${word.slice(2)}`
        : `complete -c sky -f -n "${condition}" -a ${word}`,
    );
  });
  return `# sky: sky completion fish > ~/.config/fish/completions/sky.fish\n${lines.join("\n")}\n`;
};
