/** Packages are beside this app, not in it. */
export default { turbopack: { root: new URL('..', import.meta.url).pathname } }
