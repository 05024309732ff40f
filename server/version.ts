/** The version in `package.json`, which is not readable on every runtime. */
export const version = '0.1.0'
