"""The scheduler's page."""

from playwright.sync_api import expect


def test_a_job_that_is_fired_by_hand_is_in_the_table_of_runs(ann):
    page = ann.open("/objects/scheduler-job/new")
    page.fill("#f-name", "by-hand")
    expect(page.locator("#f-cron_definition")).to_be_hidden()
    page.select_option("#f-job_type", "cron_style")
    page.fill("#f-cron_definition", "30 2 * * *")
    page.fill("#f-service", "zato.ping")
    page.get_by_role("button", name="Create").click()
    expect(page.locator(".notice.done")).to_contain_text("by-hand is created")

    page = ann.open("/scheduler/")
    row = page.locator("#now tr", has_text="by-hand")
    expect(row).to_contain_text("30 2 * * *", timeout=15_000)
    row.get_by_role("button", name="Run now").click()
    expect(page.locator(".notice.done")).to_contain_text("by-hand runs now")
    run = page.locator("#runs tr", has_text="by-hand")
    expect(run.locator(".badge")).to_have_text("ok", timeout=15_000)
    expect(run).to_contain_text("manual")
    assert ann.serious_findings() == []

    page.goto(f"{ann.url}/scheduler/jobs/by-hand/next")
    expect(page.locator("tbody tr")).to_have_count(20)


def test_all_jobs_are_paused_and_fire_again(ann):
    page = ann.open("/scheduler/")
    page.get_by_role("button", name="Pause all jobs").click()
    expect(page.locator(".notice.note")).to_contain_text("All jobs are paused")
    page.get_by_role("button", name="Let jobs fire again").click()
    expect(page.locator(".notice.done")).to_contain_text("Jobs fire again")
