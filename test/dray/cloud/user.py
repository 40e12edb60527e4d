"""Makes a user with these policies, by their ARNs, and prints the keys as variables."""
import json, sys
import botocore.session

iam = botocore.session.get_session().create_client("iam", region_name="eu-west-1")
iam.create_user(UserName="person")
for policy in sys.argv[1:]:
    iam.attach_user_policy(UserName="person", PolicyArn=policy)
key = iam.create_access_key(UserName="person")["AccessKey"]
print(json.dumps({"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}))
