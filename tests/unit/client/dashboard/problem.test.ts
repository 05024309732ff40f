import { describe, expect, test } from 'bun:test'
import { describeProblem } from '../../../../client/dashboard/problem.ts'
import { Refusal, readProblem } from '../../../../client/dashboard/refusal.ts'

const problem = (status: number, detail: string) => ({ type: 'about:blank', title: 'Refused', status, detail })

describe('describeProblem', () => {
  test('describeProblem says what happened, what stays safe and what to do', () => {
    expect(describeProblem(new Refusal(0))).toEqual({
      happened: 'The server does not answer.',
      safe: 'Your jobs are safe, and go on.',
      next: 'Check your connection, then try again.',
      reload: false,
    })
    expect(describeProblem(new Refusal(401, problem(401, 'Send a valid token.')))).toEqual({
      happened: 'Your access has run out. Reload the page.',
      safe: 'Your jobs are safe, and go on.',
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

describe('readProblem', () => {
  test('readProblem takes a problem document, and nothing else', () => {
    const found = problem(404, 'Not there')
    expect(readProblem(JSON.stringify(found))).toEqual(found)
    for (const body of ['', '<h1>Bad gateway</h1>', 'null', '[]', '{"detail":7}'])
      expect(readProblem(body)).toBeUndefined()
  })
})
