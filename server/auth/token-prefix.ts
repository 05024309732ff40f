/** What a token or cookie of this server is for. */
type TokenKind = 'access' | 'watch' | 'publish' | 'session'

/** Adds the prefix by which secret scanners recognize a token or cookie. SECURITY.md has the regular expression. */
export const withPrefix = (kind: TokenKind, value: string): string => `mpst_${kind}_${value}`

/** The JWT of a token, without the prefix if it has one. */
export const withoutPrefix = (token: string): string => token.replace(/^mpst_(access|watch|publish)_/, '')

/** Tokens with a prefix, and JWTs without one, which begin with `{"` in base64url. */
const TOKENS = /(mpst_(?:access|watch|publish|session)_)[\w.-]+|(eyJ)[\w-]+\.[\w-]+\.[\w-]*/g

/** A text in which tokens are cut to their kind. */
export const withoutTokens = (text: string): string => text.replace(TOKENS, '$1$2…')
