import { describe, expect, test } from 'bun:test'
import { jobTokens } from '../../../../client/dashboard/operator/job-tokens.ts'
import { assets } from '../../../../server/generated/assets.ts'
import type { AuditRecord } from '../../../../shared/wire/api.ts'

/** What the modules of the dashboard may weigh on the wire: bytes, with gzip. */
const BUDGET = {
  'dashboard.js': 41 * 1024,
  'operator.js': 6 * 1024,
  'asks.js': 4 * 1024,
  'bulk.js': 3 * 1024,
  'job.js': 6 * 1024,
  'start.js': 4 * 1024,
  'api.js': 3 * 1024,
  'shared.js': 1 * 1024,
}

const NOW = Date.parse('2026-01-01T12:00:00.000Z')

function record(action: AuditRecord['action'], job: string, hour = 13): AuditRecord {
  return { at: '2026-01-01T10:00:00.000Z', action, job, expiresAt: `2026-01-01T${hour}:00:00.000Z` }
}

describe('jobTokens', () => {
  test('jobTokens has the jobs with tokens that have neither expired nor been revoked since', () => {
    const again = record('token-created', 'revoked')
    const found = jobTokens(
      [
        again,
        record('tokens-revoked', 'revoked'),
        record('token-created', 'revoked'),
        record('token-created', 'open', 14),
        record('token-created', 'over', 12),
        record('job-deleted', 'deleted'),
        record('token-created', 'deleted'),
        record('token-created', 'open'),
      ],
      NOW,
    )
    expect(found).toEqual([
      { job: 'revoked', tokens: [again] },
      { job: 'open', tokens: [record('token-created', 'open', 14), record('token-created', 'open')] },
    ])
  })
})

describe('bundleDashboard', () => {
  test('bundleDashboard gives a small module, and others that are loaded on demand, which share what the first has', () => {
    for (const [name, most] of Object.entries(BUDGET) as [keyof typeof BUDGET, number][]) {
      const bytes = Bun.gzipSync(Buffer.from(assets[name] ?? ''), { level: 9 }).length
      expect([name, bytes <= most, assets[name]?.includes('ZodError')]).toEqual([name, true, false])
    }
    expect(assets['dashboard.js']).not.toContain('Quotas in use')
    const { 'dashboard.js': _, ...onDemand } = BUDGET
    for (const name of Object.keys(onDemand) as (keyof typeof onDemand)[])
      expect(assets[name]).toMatch(/^import\{[^}]+\}from"\.\/dashboard\.js"/)
  })
})
