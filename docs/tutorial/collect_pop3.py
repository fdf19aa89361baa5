import email
import poplib
from email import policy

mailbox = poplib.POP3("127.0.0.1", 8110)
mailbox.user("acme")
mailbox.pass_("s3cret")
count, _ = mailbox.stat()
print(f"{count} mails")
for number in range(1, count + 1):
    octets = b"\r\n".join(mailbox.retr(number)[1])
    mail = email.message_from_bytes(octets, policy=policy.default)
    if mail["X-Homing-Kind"] == "report":
        print(f"report: {mail['X-Homing-Sms-Id']} is {mail['X-Homing-Status']}")
    else:
        print(f"message: {mail['From']} says {mail.get_content().strip()!r}")
    mailbox.dele(number)
mailbox.quit()
