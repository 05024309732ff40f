import { describe, expect, test } from 'bun:test'
import { OutputLines } from '../../../../../server/cli/run/output/lines.ts'

const textsOf = (output: string) =>
  new OutputLines().feed(output).map(({ text, isDrawn }) => (isDrawn ? `~${text}` : text))

describe('OutputLines', () => {
  test('OutputLines tells written lines from drawn ones', () => {
    expect(textsOf('one\ntwo\r\nthree\r\r\n10%\r20%\r\nfour\n')).toEqual([
      'one',
      'two',
      'three',
      '~10%',
      '~20%',
      'four',
    ])
    expect(textsOf('a\u001b[1Gb\n\u001b[2Kc\n')).toEqual(['~a', '~b', 'c'])
  })

  test('OutputLines drops escape sequences and control characters', () => {
    expect(textsOf('\u001b[31mred\u001b[0m \u001b]0;title\u0007x\u001b(B\u0000\u0008y\u009b\n')).toEqual(['red xy'])
  })

  test('OutputLines knows lines that were drawn below another', () => {
    const lines = new OutputLines().feed('outer\n\rinner\u001b[A\router 2\n')
    expect(lines.map(({ text, isBelow }) => [text, isBelow])).toEqual([
      ['outer', false],
      ['inner', true],
      ['outer 2', false],
    ])
  })

  test('OutputLines keeps 4,096 characters of a line that does not end, and goes on after it', () => {
    const lines = new OutputLines()
    for (let piece = 0; piece < 1_000; piece++) expect(lines.feed('x'.repeat(1_000))).toEqual([])
    expect(lines.open?.text).toHaveLength(4_096)
    expect(lines.feed('\nnext\n').map(({ text }) => text.length)).toEqual([4_096, 4])
  })

  test('OutputLines does not wait for the end of a sequence for ever', () => {
    const lines = new OutputLines()
    for (let piece = 0; piece < 1_000; piece++) lines.feed(`\u001b]0;${'x'.repeat(1_000)}`)
    expect(lines.feed('\nnext\n').at(-1)?.text).toBe('next')
  })
})
