/** The style sheet of what `/widget-more.js` adds to an element: the variants `ring` and `text`, and the list of failures. */
export const lookStyles = `
ul { max-height: 240px; overflow: auto; margin: 8px 0 0; padding: 0; list-style: none; font-size: .8125rem }
li { padding: 8px 0; border-block-start: 1px solid var(--track) }
small { display: block; font-size: inherit; color: var(--failed) }

.is-ring ul { grid-column: 1 / -1 }
.is-text ul { width: 100% }
.ring {
  display: none; width: 100%; height: 100%; rotate: -90deg; stroke-width: 4; stroke: var(--track);
  :last-child { stroke: var(--tone); stroke-dasharray: var(--percent) 100 }
  .empty & :last-child { opacity: 0 }
  .unknown & :last-child { stroke-dasharray: 4 4; stroke-linecap: butt; opacity: .55 }
  .unknown.running & :last-child { stroke-dasharray: 25 100; stroke-linecap: round; opacity: 1 }
}
@media (prefers-reduced-motion: no-preference) {
  .ring :last-child { transition: stroke-dasharray .25s linear }
  .unknown.running .ring { animation: turn 3.2s linear infinite }
}
@keyframes turn { to { transform: rotate(1turn) } }
.middle { position: absolute; inset: 0; place-items: center; font-size: 12px; font-weight: 600 }

.is-ring {
  display: grid; grid-template-columns: auto minmax(0, 1fr); column-gap: 14px; align-items: center;
  .head { align-self: end; margin: 0 }
  .track { grid-row: 1 / 3; position: relative; width: var(--job-progress-size, 48px); height: var(--job-progress-size, 48px); background: none; border-radius: 50% }
  .fill { display: none }
  .ring, .middle { display: grid }
  .middle svg { width: 18px; height: 18px; color: var(--tone) }
  .figures { align-self: start; margin-block-start: 2px }
}
.is-text {
  &, .head, .figures { display: inline-flex; flex-wrap: wrap; gap: 0 8px; align-items: baseline; justify-content: start; margin: 0; font-size: inherit }
  .chip { padding: 0; background: none; font-size: inherit }
  .chip svg { align-self: center }
  .track { position: absolute; width: 1px; height: 1px; clip-path: inset(50%) }
}
@media (forced-colors: active) {
  .is-ring .track, .is-text .chip { border: 0 }
  .ring { stroke: GrayText; :last-child { stroke: Highlight } }
}
`
