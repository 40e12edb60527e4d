"""ministack 1.5.33 with what it leaves out that Dray needs, and a log of each decision of IAM.

JSONata: Output and Arguments of Parallel, ItemReader, ItemSelector, MaxConcurrency and Output of a distributed Map, Output of
Succeed. Executions: those that others start are like any other, go on with the definition that they began with, and stay
aborted; what a machine calls is judged by its role. CloudFormation: alarms by metric math, trails, rules of security groups,
attributes of what has not changed in a nested stack. Lambda: the name of an error, a crash.
"""
import os, re, signal, sys, threading
from ministack.services import stepfunctions as sf
from ministack.core import iam_evaluator as iam

is_jsonata = lambda state, ctx: sf._state_query_language(state, ctx) == "JSONata"
without = lambda state, *keys: {k: v for k, v in state.items() if k not in keys}

def finished(state, raw, ctx, results, following):
    output = sf._apply_jsonata_output(state, raw, ctx, result=results, default=results)
    sf._apply_state_assign(state, raw, ctx, result=results)
    return output, following

parallel = sf._run_parallel_branches
def run_parallel(state, raw, execution, ctx):
    if not is_jsonata(state, ctx): return parallel(state, raw, execution, ctx)
    given = sf._apply_jsonata_arguments(state, raw, ctx)
    return finished(state, raw, ctx, *parallel(without(state, "Arguments", "Output", "Assign"), given, execution, ctx))
sf._run_parallel_branches = run_parallel

class Selector(dict): pass
resolve = sf._resolve_params_obj
sf._resolve_params_obj = lambda obj, data, ctx=None: (
    sf._apply_jsonata_template(dict(obj), data, ctx) if isinstance(obj, Selector) else resolve(obj, data, ctx))

distributed = sf._run_distributed_map
def run_distributed(state, raw, effective, iterator, execution, ctx):
    if not is_jsonata(state, ctx): return distributed(state, raw, effective, iterator, execution, ctx)
    plain = without(state, "Output", "Assign")
    if "ItemReader" in plain:
        plain["ItemReader"] = {**plain["ItemReader"], "Arguments": sf._apply_jsonata_template(plain["ItemReader"]["Arguments"], raw, ctx)}
    for field in ("MaxConcurrency", "ToleratedFailurePercentage", "ToleratedFailureCount"):
        if field in plain: plain[field] = sf._apply_jsonata_template(plain[field], raw, ctx)
    if "ItemSelector" in plain: plain["ItemSelector"] = Selector(plain["ItemSelector"])
    return finished(state, raw, ctx, *distributed(plain, raw, effective, iterator, execution, ctx))
sf._run_distributed_map = run_distributed


# An execution that was aborted stays aborted, whatever its thread says afterwards.
fail = sf._fail_execution
sf._fail_execution = lambda execution, error, cause: fail(execution, error, cause) if execution["status"] == "RUNNING" else None

# An execution goes on with the definition that it began with, and says so; the same start twice is one.
import copy, json, time, contextvars
begin, run = sf._start_execution, sf._run_execution
def start_execution(data):
    arn = data.get("stateMachineArn", "")
    machine = sf._state_machines.get(arn)
    if machine and data.get("name"):
        known = sf._executions.get(f"{arn.replace(':stateMachine:', ':execution:')}:{data['name']}")
        if known and known["status"] == "RUNNING" and known["input"] == data.get("input", "{}"):
            return sf.json_response({"executionArn": known["executionArn"], "startDate": known["startDate"]})
    definition, role = (machine["definition"], machine["roleArn"]) if machine else (None, None)
    status, headers, body = begin(data)
    if status < 400:
        started = sf._executions[json.loads(body)["executionArn"]]
        started["_definition"], started["_role"] = definition, role
    return status, headers, body
sf._start_execution = start_execution

role_at_work = contextvars.ContextVar("role_at_work", default=None)
parent_at_work = contextvars.ContextVar("parent_at_work", default=None)
def run_execution(arn):
    execution = sf._executions.get(arn)
    if execution is None: return
    machine = sf._state_machines.get(execution["stateMachineArn"]) or {}
    role_at_work.set(machine.get("roleArn"))
    parent_at_work.set(arn)
    return run(arn)
sf._run_execution = run_execution

describe_for = sf._describe_state_machine_for_execution
def describe_for_execution(data):
    status, headers, body = describe_for(data)
    began = (sf._executions.get(data.get("executionArn")) or {}).get("_definition")
    if status >= 400 or began is None: return status, headers, body
    return sf.json_response({**json.loads(body), "definition": began})
sf._describe_state_machine_for_execution = describe_for_execution

# `.sync:2` waits for an execution like any other: with its own name and events, stopped with its parent, and the
# cause of a failure is what DescribeExecution says of it.
capital = lambda text: text[0].upper() + text[1:]
def sync(resource, given):
    request = sf._nested_start_execution_request(given)
    status, _, body = sf._start_execution(request)
    answer = json.loads(body)
    if status >= 400:
        raise sf._ExecutionError("StepFunctions." + answer.get("__type", "SfnException").split("#")[-1].replace("Exception", "") + "Exception", answer.get("message", ""))
    arn, parent = answer["executionArn"], sf._executions.get(parent_at_work.get())
    while sf._executions[arn]["status"] == "RUNNING":
        # The service stops them with their parent, and does not promise to: here they run on.
        if parent is not None and parent["status"] != "RUNNING": raise sf._ExecutionError("Aborted", "The execution has ended.")
        time.sleep(0.05)
    child = json.loads(sf._describe_execution({"executionArn": arn})[2])
    told = {capital(k): v for k, v in child.items() if v is not None}
    if child["status"] != "SUCCEEDED":
        raise sf._ExecutionError("States.TaskFailed", json.dumps(told, separators=(",", ":")))
    return {**told, "Output": json.loads(child["output"]) if resource.endswith(".sync:2") else child["output"]}
sf._invoke_nested_start_execution_sync = sync

# A busy machine takes more than the second that an expression may take.
from jsonata.timebox import Timebox
bounded = Timebox.__init__
Timebox.__init__ = lambda self, expr, timeout=None, depth=None: bounded(self, expr, 60_000, depth)

# Succeed with an Output.
output_path = sf._apply_output_path
sf._apply_output_path = lambda state, data, ctx=None: (
    sf._apply_jsonata_output(state, data, ctx, default=data)
    if state.get("Type") == "Succeed" and is_jsonata(state, ctx or {}) else output_path(state, data, ctx))

# What a state machine does is judged by its role, too.
invoke_resource = sf._invoke_resource
def judged(resource, given):
    role, at_work = role_at_work.get(), sf._executions.get(parent_at_work.get())
    if at_work is not None and at_work["status"] != "RUNNING": raise sf._ExecutionError("Aborted", "The execution has ended.")
    for action, on in asked(resource, given): judge(role, action, on)
    return invoke_resource(resource, given)
def asked(resource, given):
    if "lambda:invoke" in resource: return [("lambda:InvokeFunction", given.get("FunctionName", ""))]
    if "states:startExecution" in resource:
        machine = given["StateMachineArn"]
        execution = machine.replace(":stateMachine:", ":execution:") + ":" + given.get("Name", "")
        rule = ":".join(["arn:aws:events", *machine.split(":")[3:5], "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"])
        return [("states:StartExecution", machine), ("states:DescribeExecution", execution), ("states:StopExecution", execution),
                ("events:PutTargets", rule), ("events:PutRule", rule), ("events:DescribeRule", rule)]
    return []
def judge(role, action, on):
    from ministack.core.responses import get_account_id, get_region
    policies = iam._gather_role_policies(role.rsplit("/", 1)[-1], get_account_id())
    context = iam.EvalContext(principal_arn=role, principal_type="AssumedRole", principal_account=get_account_id(), action=action,
                              resource_arn=on, region=get_region(), service_context={"aws:tagkeys": None}, principal_keys={})
    decision = iam.evaluate(context, policies).decision
    note(decision, action, on, role)
    if decision != "Allow":
        raise sf._ExecutionError("States.TaskFailed", f"{role} is not authorized to perform {action} on {on}")
sf._invoke_resource = judged

def note(decision, action, on, who, context=None):
    if os.environ.get("IAM_LOG"):
        told = "ok" if decision in (None, "Allow") else decision
        with lock: log.write("\t".join([str(told), action, on, who, json.dumps(context or {})]) + "\n")

# The name of an error is its errorType, as Lambda's runtime for Node has it.
from ministack.core import lambda_runtime as runtime
plain = 'status: "error", error: String(err.message || err), trace: err.stack || ""'
assert plain in runtime._NODEJS_WORKER_SCRIPT
runtime._NODEJS_WORKER_SCRIPT = runtime._NODEJS_WORKER_SCRIPT.replace(plain, plain + """,
            error_payload: { errorType: err.name || "Error", errorMessage: String(err.message || err), trace: String(err.stack || "").split("\\n") }""")

from ministack.services import lambda_svc
last, invoke, execute = threading.local(), runtime.Worker.invoke, lambda_svc._execute_function_warm
def invoked(self, *given, **named):
    result = invoke(self, *given, **named)
    crashed = {"errorType": "Runtime.ExitError", "errorMessage": "RequestId: x Error: Runtime exited with error"}
    last.payload = crashed if result.get("error") == "Worker process died" else result.get("error_payload")
    return result
def executed(*given, **named):
    last.payload = None
    result = execute(*given, **named)
    return {**result, "body": last.payload} if result.get("error") and last.payload else result
runtime.Worker.invoke, lambda_svc._execute_function_warm = invoked, executed

# Alarms by metric math are kept, and never fire.
from ministack.services.cloudformation import provisioners
alarm = provisioners._cw_metric_alarm_record
provisioners._cw_metric_alarm_record = lambda name, props: alarm(name, props if not props.get("Metrics") else {
    **without(props, "Metrics"), "MetricName": "MetricMath", "Namespace": "Unsupported"})

# A rule of a security group is taken, and does nothing.
provisioners._RESOURCE_HANDLERS.setdefault("AWS::EC2::SecurityGroupIngress", {
    "create": lambda logical, props, stack: (f"sgr-{abs(hash(logical)):x}", {}), "delete": lambda physical, props: None})

# What has not changed in a nested stack keeps its attributes.
from ministack.services.cloudformation import _stacks
update_resource = provisioners._update_resource
def updated(kind, physical, old, new, stack, logical=None, old_attrs=None):
    if old_attrs is None:
        old_attrs = (((_stacks.get(stack) or {}).get("_resources") or {}).get(logical) or {}).get("Attributes")
    return update_resource(kind, physical, old, new, stack, logical, old_attrs)
provisioners._update_resource = updated

# A trail is taken, and records nothing.
provisioners._RESOURCE_HANDLERS.setdefault("AWS::CloudTrail::Trail", {
    "create": lambda logical, props, stack: (f"{stack}-{logical}", {"Arn": f"arn:aws:cloudtrail:eu-west-1:000000000000:trail/{stack}-{logical}"}),
    "delete": lambda physical, props: None})

# The keys of conditions that a request to DynamoDB, or to the bus, carries: without them a condition on all values holds.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
from ministack.core import iam_actions as actions
select, tags = actions.dynamodb_service_context, actions.request_tag_context
def asked_of_table(body):
    context, data = select(body), json.loads(body or b"{}")
    if "TableName" not in data: return context
    names, values = data.get("ExpressionAttributeNames") or {}, data.get("ExpressionAttributeValues") or {}
    item = data.get("Item") or data.get("Key") or {}
    text = " ".join(data[name] for name in data if name.endswith("Expression"))
    written = set(re.findall(r"(?<![:#\w.])[a-z_]\w*(?!\w*\s*\()", text)) - {"and", "or", "not", "between", "in", "set", "remove", "add", "delete"}
    context["dynamodb:Attributes"] = sorted({*item, *names.values(), *written})
    equal = re.search(r"(#?\w+)\s*=\s*(:\w+)", data.get("KeyConditionExpression", ""))
    leading = values.get(equal[2]) if equal else item.get("pk")
    if leading: context["dynamodb:LeadingKeys"] = list(leading.values())
    return context
def asked_of_bus(service, action, body, params):
    context = tags(service, action, body, params)
    if action != "events:PutEvents": return context
    return {**context, "events:source": [entry.get("Source") for entry in json.loads(body)["Entries"]]}
actions.dynamodb_service_context, actions.request_tag_context = asked_of_table, asked_of_bus

# A schedule that is changed counts anew, and is looked at each second.
from ministack.services import scheduler
update_schedule = scheduler._update_schedule
def change_schedule(name, body):
    for key in [key for key in scheduler._schedule_last_fired if key[-1].endswith("/" + name)]: del scheduler._schedule_last_fired[key]
    return update_schedule(name, body)
scheduler._update_schedule, scheduler._SCHEDULE_TICK_INTERVAL = change_schedule, 1

# What a distributed Map reads and starts is judged by its machine's role, too.
read_items = sf._read_map_items
def items_of(reader, given, ctx):
    judge(role_at_work.get(), "s3:GetObject", "arn:aws:s3:::{Bucket}/{Key}".format(**reader["Arguments"]))
    machine = sf._executions[parent_at_work.get()]["stateMachineArn"]
    judge(role_at_work.get(), "states:StartExecution", machine)
    return read_items(reader, given, ctx)
sf._read_map_items = items_of

if os.environ.get("IAM_LOG"):
    log, lock = open(os.environ["IAM_LOG"], "a", buffering=1), threading.Lock()
    enforce = iam.enforce
    def enforced(access_key_id, action, service, region, resource_arn="*", service_context=None):
        result = enforce(access_key_id, action, service, region, resource_arn, service_context)
        try: who = iam.caller_arn()
        except Exception: who = "?"
        note(getattr(result, "decision", result), action, resource_arn, who, service_context)
        return result
    iam.enforce = enforced

# A function that is warm has read the URL of a database: where another is written for this machine, those that wait end.
from ministack.services import secretsmanager as secrets
write_secret = secrets._put_secret_value
def put_secret(data):
    said = lambda: json.loads(secrets._get_secret_value({"SecretId": data.get("SecretId")})[2]).get("SecretString")
    before, answer = said(), write_secret(data)
    if str(data.get("SecretId")).startswith("/dray/emulated/") and said() != before: end_idle()
    return answer
def end_idle():
    with runtime._lock:
        idle = [worker for ones in runtime._workers.values() for worker in ones if not worker.in_use]
        for key, ones in runtime._workers.items(): runtime._workers[key] = [worker for worker in ones if worker.in_use]
    runtime.kill_workers(idle)
secrets._put_secret_value = put_secret

# Nobody else ends it where what has started it was killed.
keeper = int(os.environ["DRAY_KEEPER"])
def end_with_keeper():
    while os.getppid() == keeper: time.sleep(0.5)
    threading.Timer(10, os._exit, [1]).start()
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=end_with_keeper, daemon=True).start()

from ministack.app import main
sys.exit(main())
