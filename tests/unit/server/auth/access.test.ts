import { describe, expect, test } from 'bun:test'
import {
  type Action,
  type Grant,
  grantFor,
  type Principal,
  permit,
  permitOwner,
  requireScope,
  type Scope,
} from '../../../../server/auth/access.ts'
import { ProblemError } from '../../../../server/errors.ts'
import type { Marks, StoredJob } from '../../../../server/jobs/engine.ts'
import type { JobHeader } from '../../../../shared/document/job.ts'
import { newHeader } from '../../../arbitraries.ts'

const jobOf = (fields: Partial<JobHeader>, marks: Partial<Marks> = {}): StoredJob => ({
  header: newHeader(fields),
  marks: { resultVersion: 0, metadataVersion: 0, stepCount: 0, bytes: 0, requestDigest: '', ...marks },
})
const job = jobOf({ id: 'j', epoch: 'e1', owner: 'owner', createdBy: 'creator' })
const actions: Action[] = ['read', 'publish', 'control', 'remove', 'share-watch', 'share-publish', 'end-tokens']
/** Whoever is the one, is so with these scopes alone. */
const scopeSets: Scope[][] = [[], ['jobs:read'], ['jobs:write'], ['jobs:read', 'jobs:write'], ['jobs:admin']]

/** `ok`, or the status of the refusal. */
function answerTo(run: () => void): string {
  try {
    run()
    return 'ok'
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error
    return `${error.problem.status}`
  }
}

const row = (principal: Principal, about = job) =>
  actions.map((action) => answerTo(() => permit(principal, about, action))).join(' ')

const grant = (fields: Partial<Grant> = {}): Grant => ({
  job: 'j',
  epoch: 'e1',
  can: 'watch',
  series: 0,
  expiresAt: 1,
  ...fields,
})
const withGrants = (...jobs: Grant[]): Principal => ({ sub: 'owner', scopes: [], jobs })

describe('permit', () => {
  test('permit matches the table of actions by role and scopes', () => {
    const table = (sub: string) => scopeSets.map((scopes) => row({ sub, scopes }))
    // Columns: read, publish, control, remove, share-watch, share-publish, end-tokens.
    expect(table('owner')).toEqual([
      '403 403 403 403 403 403 403',
      'ok 403 ok ok ok 403 ok',
      '403 403 403 403 403 403 403',
      'ok 403 ok ok ok 403 ok',
      'ok ok ok ok ok ok ok',
    ])
    expect(table('creator')).toEqual([
      '403 403 403 403 403 403 403',
      '403 403 403 403 403 403 403',
      'ok ok 403 ok ok ok ok',
      'ok ok 403 ok ok ok ok',
      'ok ok ok ok ok ok ok',
    ])
    expect(table('stranger')).toEqual([
      '404 404 404 404 404 404 404',
      '404 404 404 404 404 404 404',
      '404 404 404 404 404 404 404',
      '404 404 404 404 404 404 404',
      'ok ok ok ok ok ok ok',
    ])
  })

  test('permit allows a principal that is owner and creator what either may do', () => {
    const own = jobOf({ owner: 'ada', createdBy: 'ada' })
    expect(scopeSets.map((scopes) => row({ sub: 'ada', scopes }, own))).toEqual([
      '403 403 403 403 403 403 403',
      'ok 403 ok ok ok 403 ok',
      'ok ok 403 ok ok ok ok',
      'ok ok ok ok ok ok ok',
      'ok ok ok ok ok ok ok',
    ])
  })

  test('permit allows a watch token to read and a publish token to publish, and nothing else', () => {
    expect(row(withGrants(grant()))).toBe('ok 401 401 401 401 401 401')
    expect(row(withGrants(grant({ can: 'publish' })))).toBe('401 ok 401 401 401 401 401')
  })

  test('permit refuses tokens of an earlier series, and knows the newest among several', () => {
    const ended = jobOf({ id: 'j', epoch: 'e1' }, { tokenSeries: 2 })
    for (const series of [0, 1, 3])
      expect(row(withGrants(grant({ series })), ended)).toBe('401 401 401 401 401 401 401')
    expect(row(withGrants(grant(), grant({ series: 2 })), ended)).toBe('ok 401 401 401 401 401 401')
  })

  test('permit reveals nothing to a token of another job or epoch', () => {
    expect(row(withGrants(grant({ job: 'k' })))).toBe('404 404 404 404 404 404 404')
    expect(row(withGrants(grant({ epoch: 'e2' })))).toBe('404 404 404 404 404 404 404')
    expect(row(withGrants())).toBe('404 404 404 404 404 404 404')
  })
})

describe('grantFor', () => {
  test('grantFor finds the grant of the job and epoch among several', () => {
    const own = grant({ expiresAt: 7 })
    expect(grantFor(withGrants(grant({ job: 'k' }), grant({ epoch: 'e2' }), own), job)).toBe(own)
    expect(grantFor({ sub: 'owner', scopes: ['jobs:read'] }, job)).toBeUndefined()
  })
})

describe('permitOwner', () => {
  test("permitOwner accepts one's own name, jobs:assign and the administrator, and refuses all others", () => {
    const answers = (owner: string) =>
      [...scopeSets, ['jobs:write', 'jobs:assign'] as const].map((scopes) =>
        answerTo(() => permitOwner({ sub: 'ada', scopes }, owner)),
      )
    expect(answers('ada')).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', 'ok'])
    expect(answers('bob')).toEqual(['403', '403', '403', '403', 'ok', 'ok'])
  })
})

describe('requireScope', () => {
  test('requireScope accepts the scope and the administrator, and refuses all others', () => {
    const answers = (scope: Scope) =>
      scopeSets.map((scopes) => answerTo(() => requireScope({ sub: 'ada', scopes }, scope)))
    expect(answers('jobs:read')).toEqual(['403', 'ok', '403', 'ok', 'ok'])
    expect(answers('jobs:write')).toEqual(['403', '403', 'ok', 'ok', 'ok'])
    expect(answers('jobs:admin')).toEqual(['403', '403', '403', '403', 'ok'])
  })

  test('requireScope refuses tokens of single jobs as no credentials at all', () => {
    expect(answerTo(() => requireScope(withGrants(grant()), 'jobs:read'))).toBe('401')
  })
})
