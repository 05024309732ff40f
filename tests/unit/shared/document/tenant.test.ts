import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { anyJobIdSchema, isAnyJobId, isJobId } from '../../../../shared/document/job.ts'
import { isTenant, qualify, tenantOf, unqualify } from '../../../../shared/document/tenant.ts'

describe('tenants', () => {
  test('isTenant takes 1 to 64 of A–Z a–z 0–9 . _ ~ -, and text alone', () => {
    for (const name of ['a', '0', '.', 'acme-inc', 'A_b~c.d', 'x'.repeat(64)]) expect(isTenant(name)).toBe(true)
    for (const name of ['', 'x'.repeat(65), 'a:b', 'a::', 'a b', 'é', 'a\n', 'a/b', 1, null, undefined, ['a'], {}])
      expect(isTenant(name)).toBe(false)
  })

  test('qualify names what is in a tenant as nothing else is named, whatever the names are', () => {
    const tenant = fc.stringMatching(/^[A-Za-z0-9._~-]{1,8}$/)
    // Principals of tenants may have any name, those without a tenant none that looks like theirs.
    const anyName = fc.oneof(fc.string({ minLength: 1 }), fc.stringMatching(/^[a-z]{1,2}:{1,3}[a-z]{0,2}$/))
    const plainName = anyName.filter((name) => tenantOf(name) === undefined)
    const who = fc.oneof(
      fc.record({ tenant, name: anyName }),
      fc.record({ tenant: fc.constant(undefined), name: plainName }),
    )
    fc.assert(
      fc.property(who, who, (one, other) => {
        const [first, second] = [one, other].map(({ tenant, name }) => qualify(tenant, name))
        expect(unqualify(first ?? '')).toEqual(one)
        expect(first === second).toBe(one.tenant === other.tenant && one.name === other.name)
      }),
    )
  })

  test('isAnyJobId takes the ids of jobs in tenants too, isJobId does not', () => {
    for (const id of ['acme::export-7', `${'t'.repeat(64)}::${'x'.repeat(128)}`, '..::a'])
      expect([isAnyJobId(id), isJobId(id)]).toEqual([true, false])
    for (const id of ['acme::', '::a', 'acme:a', 'acme:::a', 'acme::..', 'a::b::c', `${'t'.repeat(65)}::x`])
      expect([isAnyJobId(id), isJobId(id)]).toEqual([false, false])
    expect([isAnyJobId('export-7'), isAnyJobId('..')]).toEqual([true, false])
    expect(anyJobIdSchema.safeParse('acme::export-7').success).toBe(true)
    for (const id of ['a/b', '..', 'acme::..', 'acme::'])
      expect(anyJobIdSchema.safeParse(id).error?.issues).toHaveLength(1)
  })
})
