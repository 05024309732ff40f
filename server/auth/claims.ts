import { isPrincipalName, type Scope, scopes } from './access.ts'

/** The claims of a JWT (RFC 7519, 4). */
export type Claims = Record<string, unknown>

/** The claim that names the tenant, unless another is set. */
export const DEFAULT_TENANT_CLAIM = 'tenant'

/** The principal that a claim names, if it is a valid name. */
export function nameOf(claims: Claims, claim = 'sub'): string | undefined {
  const sub = claims[claim]
  return isPrincipalName(sub) ? sub : undefined
}

/**
 * Whether an identity provider vouches for the claim that names the principal. Anyone can enter the address of somebody else, so an
 * `email` needs `email_verified` (OpenID Connect Core 1.0, 5.1 and 5.7).
 */
export function isVouchedFor(claims: Claims, claim: string | undefined): boolean {
  return claim !== 'email' || claims.email_verified === true
}

/** Why a provider's token names nobody, for the operator. */
export const UNVERIFIED = 'it has an email that the provider has not verified (email_verified is not true)'

/** The known scopes in a claim, as a list or separated by spaces. Without a claim, in the first of `scope`, `scp` and `permissions`. */
export function scopesOf(claims: Claims, claim: string | undefined): Scope[] {
  const granted = claim === undefined ? (claims.scope ?? claims.scp ?? claims.permissions) : claims[claim]
  const words: readonly unknown[] = typeof granted === 'string' ? granted.split(' ') : [granted].flat()
  return scopes.filter((scope) => words.includes(scope))
}
