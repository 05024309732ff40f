/** The version of Milepost: what `package.json` says, which is not there everywhere. */
export const version = '0.1.0'
