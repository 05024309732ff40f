/**
 * The style sheet of `<job-progress>`. Text takes the page's font and colour; the colours of states follow its `color-scheme`. Each can
 * be set: `--job-progress-accent`, `-done`, `-failed`, `-attention`, `-neutral`, `-track`, `-muted`, `-height`, `-radius`, `-size`.
 */
export const styles = `
:host {
  --accent: var(--job-progress-accent, light-dark(oklch(54% .19 268), oklch(72% .14 268)));
  --failed: var(--job-progress-failed, light-dark(oklch(52% .19 25), oklch(74% .14 25)));
  --tone: var(--job-progress-neutral, light-dark(oklch(48% .02 260), oklch(72% .015 260)));
  --track: var(--job-progress-track, light-dark(oklch(92% .012 260), oklch(32% .018 260)));
  display: block;
  font-variant-numeric: tabular-nums;
  line-height: 1.5;
}
:host([hidden]), [hidden] { display: none !important }
:host([variant=text]) { display: inline-block }
.running { --tone: var(--accent) }
.done { --tone: var(--job-progress-done, light-dark(oklch(50% .13 155), oklch(76% .14 155))) }
.failed { --tone: var(--failed) }
.attention { --tone: var(--job-progress-attention, light-dark(oklch(52% .12 70), oklch(80% .13 80))) }

.head, .figures { display: flex; gap: 4px 12px; align-items: baseline; justify-content: space-between }
.head { align-items: center; margin-block-end: 8px }
.label { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-weight: 600 }
.chip {
  display: inline-flex; gap: 6px; align-items: center; padding: 1px 10px 1px 8px; border-radius: 99px;
  font-size: .8125em; font-weight: 600; color: var(--tone); background: color-mix(in oklch, var(--tone) 11%, transparent);
}
svg { width: 13px; height: 13px; fill: none; stroke: currentColor; stroke-linecap: round; stroke-linejoin: round }
.figures { margin-block-start: 6px; font-size: .8125rem; color: var(--job-progress-muted, color-mix(in oklab, currentColor 76%, transparent)) }
span, li { min-width: 0; overflow-wrap: anywhere; unicode-bidi: plaintext }
svg, .chip, .aside, button { flex: none }
.aside { text-align: end }
button {
  margin: -6px; padding: 6px; min-height: 32px; border: 0; border-radius: 8px; background: none; cursor: pointer;
  font: inherit; font-weight: 600; color: var(--accent); text-decoration: underline; text-underline-offset: 3px;
  &:focus-visible { outline: 2px solid; outline-offset: -2px }
  @media (pointer: coarse) { min-height: 44px; padding-inline: 12px; margin-inline: -12px }
}
ul { max-height: 240px; overflow: auto; margin: 8px 0 0; padding: 0; list-style: none; font-size: .8125rem }
li { padding: 8px 0; border-block-start: 1px solid var(--track) }
small { display: block; font-size: inherit; color: var(--failed) }

.track { height: var(--job-progress-height, 8px); border-radius: var(--job-progress-radius, 99px); overflow: hidden; background: var(--track) }
.fill {
  height: 100%; border-radius: inherit; background: var(--tone);
  transform: translateX(calc((var(--percent) - 100) * 1%));
  &:dir(rtl) { scale: -1 1 }
  .empty & { opacity: 0 }
  .unknown & { transform: none; background: repeating-linear-gradient(115deg, var(--tone) 0 6px, transparent 6px 12px); opacity: .55 }
}
.ring {
  width: 100%; height: 100%; rotate: -90deg; stroke-width: 4; stroke: var(--track);
  :last-child { stroke: var(--tone); stroke-dasharray: var(--percent) 100 }
  .empty & :last-child { opacity: 0 }
  .unknown & :last-child { stroke-dasharray: 4 4; stroke-linecap: butt; opacity: .55 }
  .unknown.running & :last-child { stroke-dasharray: 25 100; stroke-linecap: round; opacity: 1 }
}
@media (prefers-reduced-motion: no-preference) {
  .fill, .ring :last-child { transition: .25s linear; transition-property: transform, stroke-dasharray }
  .unknown.running {
    .fill { width: 28%; background: var(--tone); opacity: 1; animation: band 2.8s ease-in-out infinite }
    .ring { animation: turn 3.2s linear infinite }
  }
}
@keyframes band { from { transform: translateX(-100%) } to { transform: translateX(358%) } }
@keyframes turn { to { transform: rotate(1turn) } }
.ring, .middle { display: none }
.middle { position: absolute; inset: 0; place-items: center; font-size: 12px; font-weight: 600 }

.is-ring {
  display: grid; grid-template-columns: auto minmax(0, 1fr); column-gap: 14px; align-items: center;
  .head { align-self: end; margin: 0 }
  .track { grid-row: 1 / 3; position: relative; width: var(--job-progress-size, 48px); height: var(--job-progress-size, 48px); background: none; border-radius: 50% }
  .fill { display: none }
  .ring, .middle { display: grid }
  .middle svg { width: 18px; height: 18px; color: var(--tone) }
  .figures { align-self: start; margin-block-start: 2px }
  ul { grid-column: 1 / -1 }
}
.is-text {
  &, .head, .figures { display: inline-flex; flex-wrap: wrap; gap: 0 8px; align-items: baseline; justify-content: start; margin: 0; font-size: inherit }
  .chip { padding: 0; background: none; font-size: inherit }
  .chip svg { align-self: center }
  .track { position: absolute; width: 1px; height: 1px; clip-path: inset(50%) }
  ul { width: 100% }
}
@media (forced-colors: active) {
  button { color: LinkText }
  svg { color: CanvasText !important }
  .track, .chip { border: 1px solid }
  .is-ring .track, .is-text .chip { border: 0 }
  .fill { forced-color-adjust: none; background: Highlight !important }
  .ring { stroke: GrayText; :last-child { stroke: Highlight } }
}
`
