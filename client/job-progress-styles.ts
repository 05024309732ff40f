/**
 * The style sheet of `<job-progress>`. Text takes the page's font and colour; the colours of states follow its `color-scheme`. Each can
 * be set: `--job-progress-accent`, `-done`, `-failed`, `-attention`, `-neutral`, `-track`, `-muted`, `-height`, `-radius`, `-size`.
 */
export const styles = `
:host {
  --accent: var(--job-progress-accent, light-dark(oklch(54% .19 268), oklch(72% .14 268)));
  --done: var(--job-progress-done, light-dark(oklch(50% .13 155), oklch(76% .14 155)));
  --failed: var(--job-progress-failed, light-dark(oklch(52% .19 25), oklch(74% .14 25)));
  --attention: var(--job-progress-attention, light-dark(oklch(52% .12 70), oklch(80% .13 80)));
  --neutral: var(--job-progress-neutral, light-dark(oklch(48% .02 260), oklch(72% .015 260)));
  --track: var(--job-progress-track, light-dark(oklch(92% .012 260), oklch(32% .018 260)));
  --muted: var(--job-progress-muted, color-mix(in oklab, currentColor 76%, transparent));
  --height: var(--job-progress-height, 8px);
  --radius: var(--job-progress-radius, 99px);
  --size: var(--job-progress-size, 48px);
  display: block;
  font-variant-numeric: tabular-nums;
  line-height: 1.5;
}
:host([hidden]), [hidden] { display: none !important }
:host([variant=text]) { display: inline-block }
.root { --tone: var(--neutral) }
.running { --tone: var(--accent) }
.done { --tone: var(--done) }
.failed { --tone: var(--failed) }
.attention { --tone: var(--attention) }

.head, .figures { display: flex; gap: 4px 12px; align-items: baseline; justify-content: space-between }
.head { align-items: center; margin-block-end: 8px }
.label { min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-weight: 600 }
.chip {
  display: inline-flex; flex: none; gap: 6px; align-items: center; padding: 1px 10px 1px 8px; border-radius: 99px;
  font-size: .8125em; font-weight: 560; color: var(--tone); background: color-mix(in oklch, var(--tone) 11%, transparent);
}
svg { flex: none; width: 13px; height: 13px; fill: none; stroke: currentColor; stroke-linecap: round; stroke-linejoin: round }
.figures { margin-block-start: 6px; font-size: .8125rem; color: var(--muted) }
.label, .line, .aside, li { unicode-bidi: plaintext }
.line { min-width: 0; overflow-wrap: anywhere }
.aside { flex: none; text-align: end }
button {
  flex: none; margin: -6px; padding: 6px; min-height: 32px; border: 0; border-radius: 8px; background: none; cursor: pointer;
  font: inherit; font-weight: 560; color: var(--accent); text-decoration: underline; text-underline-offset: 3px;
}
button:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px }
@media (pointer: coarse) { button { min-height: 44px; padding-inline: 12px; margin-inline: -12px } }
ul { max-height: 240px; overflow: auto; margin: 8px 0 0; padding: 0; list-style: none; font-size: .8125rem }
li { padding: 8px 0; border-block-start: 1px solid var(--track); overflow-wrap: anywhere }
li small { display: block; font-size: inherit; color: var(--failed) }

.track { height: var(--height); border-radius: var(--radius); overflow: hidden; background: var(--track) }
.fill {
  --dir: 1; display: block; height: 100%; border-radius: inherit; background: var(--tone);
  transform: translateX(calc((var(--percent, 0) - 100) * 1% * var(--dir))); transition: transform .25s linear;
}
.fill:dir(rtl) { --dir: -1 }
.unknown .fill { transform: none; background: repeating-linear-gradient(115deg, var(--tone) 0 6px, transparent 6px 12px); opacity: .55 }
.unknown.running .fill { width: 28%; background: var(--tone); opacity: 1; animation: band 2.8s ease-in-out infinite }
@keyframes band {
  from { transform: translateX(calc(-100% * var(--dir))) }
  to { transform: translateX(calc(358% * var(--dir))) }
}

.ring { display: none }
.is-ring { display: grid; grid-template-columns: auto minmax(0, 1fr); column-gap: 14px; align-items: center }
.is-ring .track { grid-row: 1 / 3; position: relative; display: grid; place-items: center; width: var(--size); height: var(--size); background: none; border-radius: 50% }
.is-ring .fill { display: none }
.is-ring .ring { display: block; width: 100%; height: 100%; rotate: -90deg }
.is-ring .head { align-self: end; margin: 0 }
.is-ring .figures { align-self: start; margin-block-start: 2px }
.is-ring ul { grid-column: 1 / -1 }
.ring circle { fill: none; stroke-width: 4; stroke: var(--track) }
.ring circle + circle { stroke: var(--tone); stroke-dasharray: var(--percent, 0) 100; transition: stroke-dasharray .25s linear }
.empty .ring circle + circle, .empty:not(.unknown) .fill { opacity: 0 }
.unknown .ring circle + circle { stroke-dasharray: 4 4; stroke-linecap: butt; opacity: .55 }
.unknown.running .ring circle + circle { stroke-dasharray: 25 100; stroke-linecap: round; opacity: 1 }
.unknown.running .ring { animation: turn 3.2s linear infinite }
@keyframes turn { to { transform: rotate(1turn) } }
.middle { display: none; position: absolute; inset: 0; place-items: center; font-size: 12px; font-weight: 600; color: var(--tone) }
.is-ring .middle { display: grid }
.middle svg { width: 18px; height: 18px }
.middle.of-number { color: inherit }

.is-text { display: inline-flex; flex-wrap: wrap; gap: 0 8px; align-items: baseline }
.is-text .head, .is-text .figures { display: inline-flex; margin: 0; font-size: inherit; gap: 0 8px; justify-content: start; flex-wrap: wrap }
.is-text .head { align-items: baseline }
.is-text .chip { padding: 0; background: none; font-size: inherit }
.is-text .chip svg { align-self: center }
.is-text .track { position: absolute; width: 1px; height: 1px; clip-path: inset(50%) }
.is-text ul { width: 100% }

@media (prefers-reduced-motion: reduce) {
  .fill, .ring circle { transition: none !important }
  .unknown.running .fill { width: auto; transform: none; animation: none; opacity: .55; background: repeating-linear-gradient(115deg, var(--tone) 0 6px, transparent 6px 12px) }
  .unknown.running .ring { animation: none }
}
@media (forced-colors: active) {
  .root { --tone: CanvasText; --track: Canvas; --accent: LinkText; --muted: CanvasText }
  .is-bar .track, :not(.is-text) > .head .chip { border: 1px solid CanvasText }
  .fill { forced-color-adjust: none; background: Highlight !important }
  .ring circle { stroke: GrayText }
  .ring circle + circle { stroke: Highlight }
}
`
