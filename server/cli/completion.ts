import { ConfigError } from '../config.ts'
import { commands } from './commands.ts'
import { settingFlags } from './flags.ts'

const usage = `milepost completion bash|zsh|fish

Prints a script that completes commands and flags. In ~/.bashrc: eval "$(milepost completion bash)". In ~/.zshrc, after compinit: eval "$(milepost completion zsh)".
For fish: milepost completion fish > ~/.config/fish/completions/milepost.fish`

/** What may follow: words after a command, or after a flag of it. */
interface Completions {
  /** `serve`, `serve --engine`. */
  after: string
  words: string[]
}

/** The flags of each command, and the words after some. */
function completions(): Completions[] {
  return commands.flatMap(({ name, flags, words = {} }) => [
    { after: name, words: [...(words[name] ?? []), ...(name === 'serve' ? settingFlags : flags), '--help'] },
    ...Object.entries(words)
      .filter(([flag]) => flag !== name)
      .map(([flag, values]) => ({ after: `${name} ${flag}`, words: [...values] })),
  ])
}

const names = [...commands.map(({ name }) => name), '--help', '--version'].join(' ')

/** The cases of a shell's `case`. */
const cases = () => completions().map(({ after, words }) => `    '${after}') words='${words.join(' ')}' ;;`)

const bash = () => `_milepost() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}" words= at
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${names}' -- "$word"))
    return
  fi
  if [ "$command" = run ]; then
    for ((at = 2; at < COMP_CWORD; at++)); do
      [ "\${COMP_WORDS[at]}" = -- ] || continue
      if declare -F _command_offset >/dev/null; then _command_offset $((at + 1))
      elif [ "$at" -eq $((COMP_CWORD - 1)) ]; then COMPREPLY=($(compgen -c -- "$word"))
      fi
      return
    done
  fi
  for at in "$command $before" "$command"; do
    case "$at" in
${cases().join('\n')}
    esac
    [ -z "$words" ] || break
  done
  case "$at$word" in
    *' --'*|"$command"-*|"completion"*) COMPREPLY=($(compgen -W "$words" -- "$word")) ;;
  esac
}
complete -o default -F _milepost milepost`

const zsh = () => `#compdef milepost
_milepost() {
  local words_after= at
  if (( CURRENT == 2 )); then
    compadd -- ${names}
    return
  fi
  if [[ $words[2] == run ]] && (( $words[(I)--] > 0 && $words[(I)--] < CURRENT )); then
    shift $words[(i)--] words
    (( CURRENT -= \${1:-0} ))
    _normal
    return
  fi
  for at in "$words[2] $words[CURRENT-1]" "$words[2]"; do
    case "$at" in
${cases()
  .map((line) => line.replace("words='", "words_after='"))
  .join('\n')}
    esac
    [[ -z $words_after ]] || break
  done
  if [[ $at == *' --'* || $PREFIX == -* || $words[2] == completion ]]; then compadd -- \${=words_after}
  else _files
  fi
}
compdef _milepost milepost`

const fish = () =>
  [
    ...commands.map(
      ({ name, summary }) => `complete -c milepost -n __fish_use_subcommand -f -a ${name} -d '${summary}'`,
    ),
    ...completions().flatMap(({ after, words }) => {
      const [command, flag] = after.split(' ')
      const seen = `complete -c milepost -n '__fish_seen_subcommand_from ${command}'`
      if (flag) return [`${seen} -l ${flag.slice(2)} -x -a '${words.join(' ')}'`]
      return words.map((word) => (word.startsWith('--') ? `${seen} -l ${word.slice(2)}` : `${seen} -f -a ${word}`))
    }),
    "complete -c milepost -n '__fish_seen_subcommand_from run' -a '(__fish_complete_subcommand --fcs-skip=2)'",
  ].join('\n')

const shells = new Map([
  ['bash', bash],
  ['zsh', zsh],
  ['fish', fish],
])

/** Runs `milepost completion`. @returns the script for a shell. @throws ConfigError for another shell */
export function completion([shell, ...more]: readonly string[]): string {
  if (shell === '--help' || shell === '-h') return usage
  const script = shells.get(shell ?? '')
  if (!script || more.length > 0) throw new ConfigError('Name a shell: milepost completion bash, zsh or fish.')
  return script()
}
