/** What a token or cookie of this server is for. */
export type TokenKind = 'access' | 'watch' | 'publish' | 'session'

/**
 * A secret as the server hands it out: it begins in a way that scanners of repositories and logs know. SECURITY.md has the regular expression.
 */
export const withPrefix = (kind: TokenKind, value: string): string => `mpst_${kind}_${value}`

/** The JWT of a token, whether it has a prefix or was signed elsewhere. */
export const withoutPrefix = (token: string): string => token.replace(/^mpst_(access|watch|publish)_/, '')
