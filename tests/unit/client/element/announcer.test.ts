import { describe, expect, test } from 'bun:test'
import { createAnnouncer } from '../../../../client/element/announcer.ts'
import { createFormat } from '../../../../client/text/format.ts'
import { type JobState, jobEnglish } from '../../../../client/text/job-language.ts'
import type { JobWords } from '../../../../client/text/words.ts'

const format = createFormat(jobEnglish)

const words = (state: JobState, percent?: number): JobWords => ({
  state,
  tone: 'running',
  chip: format.language.chips[state],
  line: `at ${percent}`,
  aside: undefined,
  action: undefined,
  percent,
  sentence: `at ${percent}`,
})

/** Announces each, and answers what was said. */
function announce(all: JobWords[], isTooSoon: () => boolean = () => false) {
  const said: [text: string, urgent: boolean][] = []
  const announcer = createAnnouncer((text, urgent) => {
    if (!urgent && isTooSoon()) return false
    said.push([text, urgent])
    return true
  })
  for (const one of all) announcer(one, 'Export', format)
  return said
}

describe('createAnnouncer', () => {
  test('createAnnouncer says nothing of what was there when the page came', () => {
    expect(announce([words('connecting'), words('running', 42), words('running', 43)])).toEqual([])
    expect(announce([words('completed', 100)])).toEqual([])
  })

  test('createAnnouncer says each quarter once', () => {
    const percents = [10, 24, 25, 26, 49, 51, 60, 99]
    expect(announce(percents.map((percent) => words('running', percent)))).toEqual([
      ['Export — Running — at 25', false],
      ['Export — Running — at 51', false],
      ['Export — Running — at 99', false],
    ])
  })

  test('createAnnouncer says another state, and is urgent about the end alone', () => {
    expect(announce([words('running', 5), words('paused', 5), words('running', 5), words('failed', 5)])).toEqual([
      ['Export — Paused — at 5', false],
      ['Export — Running — at 5', false],
      ['Export — Failed — at 5', true],
    ])
  })

  test('createAnnouncer says later, in newer words, what it was too soon for', () => {
    let tooSoon = true
    const said: string[] = []
    const announcer = createAnnouncer((text) => {
      if (tooSoon) return false
      said.push(text)
      return true
    })
    announcer(words('running', 20), undefined, format)
    announcer(words('running', 30), undefined, format)
    tooSoon = false
    announcer(words('running', 31), undefined, format)
    announcer(words('running', 32), undefined, format)
    expect(said).toEqual(['Running — at 31'])
  })
})
