import type { Command } from 'commander';
import { printLine } from './print.js';
import { UsageFailure } from './usage-failure.js';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

interface Node {
  /** The words that lead here: `plugin attach`. */
  path: string;
  commands: string[];
  options: string[];
}

function nodesOf(command: Command, path: string[] = []): Node[] {
  const commands = command.commands.map((inner) => inner.name());
  const options = command.options.map(({ long, short }) => long ?? short ?? '').concat('--help');
  const inner = command.commands.flatMap((each) => nodesOf(each, [...path, each.name()]));
  return [{ path: path.join(' '), commands, options }, ...inner];
}

/** Prints what makes a shell complete commands and options. */
export function completion(program: Command, shell: string): void {
  const nodes = nodesOf(program);
  if (shell === 'bash') printLine(bash(nodes));
  else if (shell === 'zsh') printLine(`autoload -U +X bashcompinit && bashcompinit\n${bash(nodes)}`);
  else if (shell === 'fish') printLine(fish(nodes));
  else throw new UsageFailure('shell', `unknown shell "${shell}": expected ${SHELLS.join(', ')}`);
}

function bash(nodes: readonly Node[]): string {
  const cases = nodes.map(
    ({ path, commands, options }) => `    '${path}') words='${[...commands, ...options].join(' ')}' ;;`,
  );
  return `# weir: add to ~/.bashrc: eval "$(weir completion bash)"
_weir() {
  local path='' word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) continue ;; esac
    case "\${path:+$path }$word" in ${knownPaths(nodes)}) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [ \${#COMPREPLY[@]} -gt 0 ] || compopt -o default 2>/dev/null
}
complete -F _weir weir`;
}

function knownPaths(nodes: readonly Node[]): string {
  return nodes
    .filter(({ path }) => path !== '')
    .map(({ path }) => `'${path}'`)
    .join('|');
}

function fish(nodes: readonly Node[]): string {
  const lines = nodes.flatMap(({ path, commands, options }) => {
    const words = path === '' ? [] : path.split(' ');
    const seen = words.map((word) => `__fish_seen_subcommand_from ${word}`);
    const siblings = commands.length > 0 ? [`not __fish_seen_subcommand_from ${commands.join(' ')}`] : [];
    const when = [...seen, ...siblings].join('; and ') || 'true';
    const names = commands.length > 0 ? [`complete -c weir -f -n '${when}' -a '${commands.join(' ')}'`] : [];
    return [...names, ...options.map((option) => `complete -c weir -n '${when}' -l ${option.replace(/^-+/, '')}`)];
  });
  return `# weir: weir completion fish > ~/.config/fish/completions/weir.fish\n${lines.join('\n')}`;
}
