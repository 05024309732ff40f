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
.track { height: var(--job-progress-height, 8px); border-radius: var(--job-progress-radius, 99px); overflow: hidden; background: var(--track) }
.fill {
  height: 100%; border-radius: inherit; background: var(--tone);
  transform: translateX(calc((var(--percent) - 100) * 1%));
  &:dir(rtl) { scale: -1 1 }
  .empty & { opacity: 0 }
  .unknown & { transform: none; background: repeating-linear-gradient(115deg, var(--tone) 0 6px, transparent 6px 12px); opacity: .55 }
}
@media (prefers-reduced-motion: no-preference) {
  .fill { transition: transform .25s linear }
  .unknown.running .fill { width: 28%; background: var(--tone); opacity: 1; animation: band 2.8s ease-in-out infinite }
}
@keyframes band { from { transform: translateX(-100%) } to { transform: translateX(358%) } }
.middle { display: none }
@media (forced-colors: active) {
  button { color: LinkText }
  svg { color: CanvasText !important }
  .track, .chip { border: 1px solid }
  .fill { forced-color-adjust: none; background: Highlight !important }
}
`
