import { expect, type Page } from "@playwright/test";

/** Applies the plan that is shown, and waits until it is live and proven. */
export async function applyPlan(page: Page) {
  const plan = page.getByRole("dialog", { name: "What this does" });
  await plan.getByRole("button", { name: "Apply now" }).click();
  const progress = page.getByRole("dialog", { name: /^Revision \d+$/ });
  await expect(progress.getByText(/^Revision \d+ is live and proven$/)).toBeVisible();
  await progress.getByRole("button", { name: "Close" }).last().click();
  await expect(progress).toBeHidden();
}
