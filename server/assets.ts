/** The dashboard, the element and the documents, for {@link createApp} in an app of your own. */
export { assets } from './generated/assets.ts'
