import { html } from 'hono/html'
import { secureHeaders } from 'hono/secure-headers'

/** Middleware for the security headers of pages. */
export const forPages = secureHeaders({
  // The operator decides on HSTS, with a setting.
  strictTransportSecurity: false,
  // With `no-referrer` the forms of our own pages have an `Origin` of `null` (Fetch, 3.2). Without TLS there is no `Sec-Fetch-Site` either.
  referrerPolicy: 'same-origin',
  contentSecurityPolicy: {
    defaultSrc: ["'self'"],
    // The element's style sheets are constructed; Preact sets single properties. Neither needs more than this.
    styleSrc: ["'self'"],
    imgSrc: ["'self'", 'data:'],
    objectSrc: ["'none'"],
    baseUri: ["'self'"],
    formAction: ["'self'"],
    frameAncestors: ["'none'"],
  },
})

/**
 * An HTML page with the dashboard's style sheet.
 *
 * @param base mount path with a slash at its end: links are relative to it
 * @param rest the rest of the head, and the body
 */
export const htmlPage = (base: string, title: string, rest: unknown) => html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<base href="${base}">
<title>${title}</title>
<link rel="icon" href="icon.svg">
<link rel="manifest" href="manifest.webmanifest">
<link rel="stylesheet" href="dashboard.css">
${rest}
</html>`
