import type { Environment } from '../environment.ts'
import { type TabPlatform, tabPlatform } from './tab-connection.ts'

/**
 * The tabs that a connection may be shared with: those whose requests are for the same viewer, as the application says, or have the same bearer
 * token. Cookies don't show whose they are.
 *
 * @param viewer who reads, or the bearer token; `undefined` for a connection of this page alone
 * @param base where the server is mounted
 * @param more what else the tabs must have in common
 * @returns `undefined` where tabs can't share
 */
export function tabGroup(
  viewer: string | undefined,
  base: string,
  more: readonly unknown[],
  environment: Environment,
): { group: Promise<string>; platform: TabPlatform } | undefined {
  const platform = viewer === undefined ? undefined : (environment.tabs ?? tabPlatform())
  if (!platform) return undefined
  const { location } = globalThis as Partial<typeof globalThis>
  const server = new URL(`${base}/`, location?.href ?? 'http://localhost').href
  return { group: digest(JSON.stringify([viewer, server, ...more])), platform }
}

/**
 * The name is visible to all pages of the origin, so it has no credential. Its number is that of the messages: tabs with another version of this
 * package, which have others, don't share.
 */
async function digest(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  return `milepost-2 ${Array.from(bytes.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('')}`
}
