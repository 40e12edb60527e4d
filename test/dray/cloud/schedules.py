"""Makes each schedule due now, once."""
from datetime import datetime, timezone
import botocore.session

scheduler = botocore.session.get_session().create_client("scheduler", region_name="eu-west-1")
for one in scheduler.list_schedules()["Schedules"]:
    known = scheduler.get_schedule(Name=one["Name"], GroupName=one["GroupName"])
    kept = {name: known[name] for name in ("Name", "GroupName", "Target", "FlexibleTimeWindow", "State")}
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    scheduler.update_schedule(**kept, ScheduleExpression=f"at({now})")
