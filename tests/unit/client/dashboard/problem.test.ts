import { describe, expect, test } from 'bun:test'
import { describeProblem } from '../../../../client/dashboard/problem.ts'
import { parseProblem, Refusal, refusalOf } from '../../../../client/dashboard/refusal.ts'
import { withLabels } from '../../../../client/dashboard/start/form.ts'
import type { ProblemDocument } from '../../../../shared/wire/api.ts'

const problem = (status: number, detail: string): ProblemDocument => ({
  type: 'urn:milepost:invalid',
  title: 'Refused',
  status,
  detail,
})

describe('withLabels', () => {
  test('withLabels names the fields of a refusal as the form does', () => {
    const detail = 'left: has no column of names; sample: goes without files'
    const errors = [
      { field: 'left', detail: 'has no column of names' },
      { field: 'sample', detail: 'goes without files' },
    ]
    const form = { fields: [{ name: 'left', label: 'First list', kind: 'file' as const }] }
    const labelled = withLabels(new Refusal(422, { ...problem(422, detail), errors }), form)
    expect(describeProblem(labelled).happened).toBe('First list: has no column of names; sample: goes without files')
    const away = new Refusal(0)
    expect(withLabels(away, form)).toBe(away)
  })
})

describe('describeProblem', () => {
  test('describeProblem says what happened, what stays safe and what to do', () => {
    expect(describeProblem(new Refusal(0))).toEqual({
      happened: 'The server does not answer.',
      safe: 'Your jobs are safe and keep running.',
      next: 'Check your connection, then try again.',
      reload: false,
    })
    expect(describeProblem(new Refusal(401, problem(401, 'Send a valid token.')))).toEqual({
      happened: 'Your access has expired. Reload the page.',
      safe: 'Your jobs are safe and keep running.',
      next: undefined,
      reload: true,
    })
    expect(describeProblem(new Refusal(422, problem(422, 'left: needs a file')))).toEqual({
      happened: 'left: needs a file',
      safe: 'Nothing was changed.',
      next: 'Correct it, then try again.',
      reload: false,
    })
  })

  test('describeProblem has words for what is no problem document', () => {
    expect(describeProblem(new Refusal(502)).happened).toBe('The server refused this.')
    expect(describeProblem(new Error('anything')).happened).toBe('The server refused this.')
  })
})

describe('refusalOf', () => {
  test("refusalOf an answer that is not the server's is as good as none", () => {
    const found = problem(401, 'Send a valid token.')
    expect(refusalOf(401, JSON.stringify(found))).toMatchObject({ status: 401, problem: found })
    expect(refusalOf(401, '<h1>Sign in to the WiFi</h1>')).toMatchObject({ status: 0, problem: undefined })
  })
})

describe('parseProblem', () => {
  test('parseProblem takes a problem document, and nothing else', () => {
    const found = problem(404, 'Not there')
    expect(parseProblem(JSON.stringify(found))).toEqual(found)
    const foreign = JSON.stringify({ ...found, type: 'about:blank' })
    for (const body of ['', '<h1>Bad gateway</h1>', 'null', '[]', '{"detail":7}', foreign])
      expect(parseProblem(body)).toBeUndefined()
  })
})
