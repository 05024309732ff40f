/** What a token or cookie of this server is for. */
export type TokenKind = 'access' | 'watch' | 'publish' | 'session'

/** Adds the prefix by which secret scanners recognize a token or cookie. SECURITY.md has the regular expression. */
export const withPrefix = (kind: TokenKind, value: string): string => `mpst_${kind}_${value}`

/** The JWT of a token, without the prefix if it has one. */
export const withoutPrefix = (token: string): string => token.replace(/^mpst_(access|watch|publish)_/, '')
