/** Whether the terminal gets colours. To be decided before ink is loaded, for what ink colours with looks only then. */

export type ColourChoice = "auto" | "always" | "never";

/** Makes the environment say what was asked for: NO_COLOR before FORCE_COLOR before `choice`. */
export function prepareColour(env: NodeJS.ProcessEnv, choice: ColourChoice): void {
  // Ink's colours do not know NO_COLOR, and take any CI for a terminal without colours.
  const isForbidden = env["NO_COLOR"] !== undefined && env["NO_COLOR"] !== "";
  if (isForbidden) env["FORCE_COLOR"] = "0";
  else if (env["FORCE_COLOR"] === undefined && choice !== "auto") env["FORCE_COLOR"] = choice === "always" ? "1" : "0";
  delete env["CI"];
}
