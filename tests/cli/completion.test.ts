import { describe, expect, test } from 'bun:test'
import { commands } from '../../server/cli/commands.ts'
import { completion } from '../../server/cli/completion.ts'
import { milepost, start } from './command-line.ts'

/** What bash offers for the last of some words. */
async function complete(...words: string[]): Promise<string[]> {
  const script = `${completion(['bash'])}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _milepost; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { out, error } = await start(['bash', '--norc', '-c', script, 'bash', 'milepost', ...words], {}).ran
  expect(error).toBe('')
  return out.trim().split('\n')
}

describe('milepost completion', () => {
  test('completion of bash offers commands, flags, words, and the commands of run', async () => {
    expect(await complete('')).toEqual([...commands.map(({ name }) => name), '--help', '--version'])
    expect(await complete('wa')).toEqual(['watch'])
    expect(await complete('run', '--t')).toEqual(['--title', '--token-file'])
    expect(await complete('jobs', '--status', 'pa')).toEqual(['paused'])
    expect(await complete('completion', '')).toEqual(['bash', 'zsh', 'fish', '--help'])
    expect(await complete('serve', '--frame')).toEqual(['--frame-ms'])
    expect(await complete('run', '--', 'mkfif')).toContain('mkfifo')
    // Files, by `complete -o default`.
    expect(await complete('backup', '')).toEqual([''])
  }, 20_000)

  for (const [shell, flag] of [
    ['bash', '-n'],
    ['zsh', '-n'],
    ['fish', '--no-execute'],
  ] as const)
    test.skipIf(Bun.which(shell) === null)(
      `completion is a program of ${shell}`,
      async () => {
        const file = `/tmp/milepost-completion-${process.pid}`
        await Bun.write(file, completion([shell]))
        expect(await start([shell, flag, file], {}).ran).toEqual({ out: '', error: '', code: 0 })
        await Bun.file(file).delete()
      },
      20_000,
    )

  test('commands has the flags of each command that its help has', async () => {
    for (const { name, flags } of commands.filter(({ name }) => name !== 'serve')) {
      const { out } = await start(milepost(name, '--help'), {}).ran
      const [first = ''] = out.split('\n\n')
      const named = [...first.replaceAll(/"[^"]*"/g, '').matchAll(/--[a-z-]+/g)].map(([flag]) => flag)
      expect([name, [...new Set(named)].sort()]).toEqual([name, [...flags].sort()])
    }
  }, 20_000)
})
