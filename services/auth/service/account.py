"""AccountService and AccountMailService: what people do with their own account, and the codes of the mails about it."""

from mesh import context
from ordermesh.auth.v1 import account_service_pb2 as pb
from ordermesh.auth.v1 import account_service_pb2_grpc as grpc_
from services.auth.credentials import Credentials
from services.auth.domain.proofs import Purpose
from services.auth.events import session_to_proto
from services.auth.second_factor import SecondFactor
from services.auth.sessions import Sessions
from services.common import paging
from services.common.protobuf import timestamp_to_proto


class AccountService(grpc_.AccountServiceServicer):
    """Shapes are checked by the contract before a method is entered; that the caller's session holds, in it."""

    def __init__(self, credentials: Credentials, sessions: Sessions, factor: SecondFactor) -> None:
        """Everything from outside comes in here."""
        self._credentials = credentials
        self._sessions = sessions
        self._factor = factor

    async def RequestEmailVerification(
        self, request: pb.RequestEmailVerificationRequest, _: object
    ) -> pb.RequestEmailVerificationResponse:
        """Have a mail sent, or don't, and don't tell; see the contract."""
        await self._credentials.request_mail(request.email, Purpose.EMAIL_VERIFICATION)
        return pb.RequestEmailVerificationResponse()

    async def VerifyEmail(self, request: pb.VerifyEmailRequest, _: object) -> pb.VerifyEmailResponse:
        """Take the code of a mail; see the contract."""
        await self._credentials.verify_email(request.code)
        return pb.VerifyEmailResponse()

    async def ChangePassword(self, request: pb.ChangePasswordRequest, _: object) -> pb.ChangePasswordResponse:
        """Change the password; see the contract."""
        user_id, session_id = await self._who()
        await self._credentials.change_password(user_id, session_id, request.current_password, request.new_password)
        return pb.ChangePasswordResponse()

    async def RequestPasswordReset(
        self, request: pb.RequestPasswordResetRequest, _: object
    ) -> pb.RequestPasswordResetResponse:
        """Have a mail sent, or don't, and don't tell; see the contract."""
        await self._credentials.request_mail(request.email, Purpose.PASSWORD_RESET)
        return pb.RequestPasswordResetResponse()

    async def ResetPassword(self, request: pb.ResetPasswordRequest, _: object) -> pb.ResetPasswordResponse:
        """Set a password by the code of a mail; see the contract."""
        await self._credentials.reset_password(request.code, request.new_password)
        return pb.ResetPasswordResponse()

    async def ListSessions(self, request: pb.ListSessionsRequest, _: object) -> pb.ListSessionsResponse:
        """Give a page of the caller's sessions; see the contract."""
        user_id, current = await self._who()
        size, filters = paging.page_size(request.page_size), {"user": user_id}
        found = await self._sessions.page(user_id, paging.decode(request.page_token, filters), size + 1)
        reply = pb.ListSessionsResponse(sessions=[session_to_proto(each, current) for each in found[:size]])
        if len(found) > size:
            reply.next_page_token = paging.encode(found[size - 1].id, filters)
        return reply

    async def RevokeSession(self, request: pb.RevokeSessionRequest, _: object) -> pb.RevokeSessionResponse:
        """End one of the caller's sessions; see the contract."""
        user_id, _current = await self._who()
        await self._sessions.revoke(user_id, request.id)
        return pb.RevokeSessionResponse()

    async def RevokeAllSessions(self, request: pb.RevokeAllSessionsRequest, _: object) -> pb.RevokeAllSessionsResponse:
        """End the caller's sessions; see the contract."""
        user_id, current = await self._who()
        revoked = await self._sessions.revoke_all(user_id, but=current if request.keep_current else None)
        return pb.RevokeAllSessionsResponse(revoked=revoked)

    async def EnrolTotp(self, request: pb.EnrolTotpRequest, _: object) -> pb.EnrolTotpResponse:
        """Begin a second factor; see the contract."""
        user_id, _current = await self._who()
        account = await self._credentials.require_password(user_id, request.password)
        enrolment = await self._factor.enrol(account.user)
        return pb.EnrolTotpResponse(secret=enrolment.secret, uri=enrolment.uri)

    async def ConfirmTotp(self, request: pb.ConfirmTotpRequest, _: object) -> pb.RecoveryCodes:
        """Turn the second factor on; see the contract."""
        user_id, _current = await self._who()
        return pb.RecoveryCodes(codes=await self._factor.confirm(user_id, request.code))

    async def DisableTotp(self, request: pb.DisableTotpRequest, _: object) -> pb.DisableTotpResponse:
        """Turn the second factor off; see the contract."""
        user_id, _current = await self._who()
        await self._credentials.require_password(user_id, request.password)
        await self._factor.disable(user_id, request.code)
        return pb.DisableTotpResponse()

    async def ReplaceRecoveryCodes(self, request: pb.ReplaceRecoveryCodesRequest, _: object) -> pb.RecoveryCodes:
        """Make new recovery codes; see the contract."""
        user_id, _current = await self._who()
        return pb.RecoveryCodes(codes=await self._factor.replace_codes(user_id, request.code))

    async def _who(self) -> tuple[str, str]:
        """Return the caller and their session. Raises SessionEnded."""
        caller = context.current().caller
        await self._sessions.require(caller.user_id, caller.session_id)
        return caller.user_id, caller.session_id


class AccountMailService(grpc_.AccountMailServiceServicer):
    """For whoever sends mail to users."""

    def __init__(self, credentials: Credentials) -> None:
        """`credentials` makes the codes."""
        self._credentials = credentials

    async def IssueOneTimeCode(self, request: pb.IssueOneTimeCodeRequest, _: object) -> pb.OneTimeCode:
        """Make the code of a mail; see the contract."""
        issued = await self._credentials.issue_code(request.id)
        return pb.OneTimeCode(code=issued.code, expire_time=timestamp_to_proto(issued.expire_time))
