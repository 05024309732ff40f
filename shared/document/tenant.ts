import { z } from 'zod'

/** Source of the regular expression of a tenant's name. */
const NAME = '[A-Za-z0-9._~-]{1,64}'
const TENANT = new RegExp(`^${NAME}$`)
const QUALIFIED = new RegExp(`^(${NAME})::`)

/** Whether a tenant can have this name. */
export const isTenant = (name: unknown): name is string => typeof name === 'string' && TENANT.test(name)

export const tenantSchema = z.string().regex(TENANT, 'must be 1 to 64 characters of A–Z a–z 0–9 . _ ~ -')

/**
 * A job id or a principal's name as all tenants together know it: `acme::export-7`. Without a tenant, itself.
 *
 * Unambiguous: neither tenants nor job ids have a colon, and principals without a tenant have no name in this form.
 */
export function qualify(tenant: string | undefined, name: string): string {
  return tenant === undefined ? name : `${tenant}::${name}`
}

/** The tenant of a qualified id or name; `undefined` for one without a tenant. */
export const tenantOf = (name: string): string | undefined => QUALIFIED.exec(name)?.[1]

/** The tenant and the rest of an id or name. */
export function unqualify(name: string): { tenant: string | undefined; name: string } {
  const tenant = tenantOf(name)
  return { tenant, name: tenant === undefined ? name : name.slice(tenant.length + 2) }
}
